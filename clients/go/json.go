package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	ordersv1 "example.com/comptoir/stubs/comptoir/orders/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// Pause between two looks at an order, and the longest reply that is read.
const (
	poll      = 200 * time.Millisecond
	replySize = 1 << 20
)

// routes are those of the gateway, with the same messages as ProtoJSON.
type routes struct {
	http                   *http.Client
	gateway, authorization string
}

// order orders with a reply that waits for the outcome, and looks again where that takes longer.
func (r routes) order(ctx context.Context, draft *ordersv1.OrderDraft) (*ordersv1.Order, error) {
	body, err := protojson.Marshal(draft)
	if err != nil {
		return nil, err
	}
	order, err := r.call(ctx, http.MethodPost, "/v1/orders?wait=10s", body)
	for err == nil && order.State == ordersv1.Order_PENDING && ctx.Err() == nil {
		time.Sleep(poll)
		order, err = r.call(ctx, http.MethodGet, "/v1/orders/"+order.OrderId, nil)
	}
	return order, err
}

// call is one request for an order. Fields that a later release adds are no error.
func (r routes) call(ctx context.Context, method, path string, body []byte) (*ordersv1.Order, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.gateway+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("authorization", r.authorization)
	if body != nil {
		request.Header.Set("content-type", "application/json")
		request.Header.Set("idempotency-key", unique())
	}
	reply, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, replySize))
	if err != nil {
		return nil, err
	}
	if reply.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answers %s: %s", method, path, reply.Status, text)
	}
	order := new(ordersv1.Order)
	return order, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, order)
}
