// Order registers a customer, signs in and orders twice, over gRPC and over JSON; it waits each time until the order is CONFIRMED.
//
// Usage: go run . [GATEWAY [PRODUCT]]    by default http://127.0.0.1:8080 and the first product that is in stock
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	ordersv1 "example.com/comptoir/stubs/comptoir/orders/v1"
	productsv1 "example.com/comptoir/stubs/comptoir/products/v1"
	shippingv1 "example.com/comptoir/stubs/comptoir/shipping/v1"
)

const deadline = 30 * time.Second

func main() {
	gateway, wanted := "http://127.0.0.1:8080", ""
	if len(os.Args) > 1 {
		gateway = os.Args[1]
	}
	if len(os.Args) > 2 {
		wanted = os.Args[2]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	defer cancel()
	if err := run(ctx, gateway, wanted); err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, gateway, wanted string) error {
	grpc := newServices(gateway)
	authorization, err := grpc.signIn(ctx)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	product, err := grpc.product(ctx, wanted)
	if err != nil {
		return fmt.Errorf("product: %w", err)
	}
	say("product", product.ProductId, product.Name)
	order, err := grpc.order(ctx, authorization, draft(product))
	if err := confirmed("gRPC", order, err); err != nil {
		return err
	}
	routes := routes{http: &http.Client{Timeout: deadline}, gateway: gateway, authorization: authorization}
	order, err = routes.order(ctx, draft(product))
	return confirmed("JSON", order, err)
}

func draft(product *productsv1.Product) *ordersv1.OrderDraft {
	return &ordersv1.OrderDraft{
		Items: []*ordersv1.OrderDraftItem{{ProductId: product.ProductId, Quantity: 1}},
		ShippingAddress: &shippingv1.Address{
			Name: "Go Customer", Line1: "1 rue de la Paix", City: "Paris", PostalCode: "75002", CountryCode: "FR",
		},
		PaymentToken: "tok_visa",
	}
}

func confirmed(over string, order *ordersv1.Order, err error) error {
	if err != nil {
		return fmt.Errorf("order over %s: %w", over, err)
	}
	total := order.GetTotal()
	amount := fmt.Sprintf("%d.%02d %s", total.GetUnits(), total.GetNanos()/10_000_000, total.GetCurrencyCode())
	say(over, order.OrderId, order.State.String(), amount)
	if order.State != ordersv1.Order_CONFIRMED {
		return fmt.Errorf("%s is not CONFIRMED: %s", order.OrderId, order.Reason)
	}
	return nil
}

func say(step string, words ...string) {
	line := fmt.Sprintf("%-10s", step)
	for _, word := range words {
		line += " " + word
	}
	fmt.Println(line)
}

// signed is a request with the header `authorization`.
func signed[T any](message *T, authorization string) *connect.Request[T] {
	request := connect.NewRequest(message)
	request.Header().Set("authorization", authorization)
	return request
}

// unique is a key of a request, or a password.
func unique() string { return rand.Text() }
