package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	inventoryv1 "example.com/comptoir/stubs/comptoir/inventory/v1"
	"example.com/comptoir/stubs/comptoir/inventory/v1/inventoryv1connect"
	ordersv1 "example.com/comptoir/stubs/comptoir/orders/v1"
	"example.com/comptoir/stubs/comptoir/orders/v1/ordersv1connect"
	productsv1 "example.com/comptoir/stubs/comptoir/products/v1"
	"example.com/comptoir/stubs/comptoir/products/v1/productsv1connect"
	usersv1 "example.com/comptoir/stubs/comptoir/users/v1"
	"example.com/comptoir/stubs/comptoir/users/v1/usersv1connect"
)

// services are the services behind the gateway, over gRPC.
type services struct {
	users     usersv1connect.UserServiceClient
	tokens    usersv1connect.TokenServiceClient
	products  productsv1connect.ProductServiceClient
	inventory inventoryv1connect.InventoryServiceClient
	orders    ordersv1connect.OrderServiceClient
}

// newServices calls over HTTP/2 without TLS.
func newServices(gateway string) services {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2c := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	grpc := connect.WithGRPC()
	return services{
		users:     usersv1connect.NewUserServiceClient(h2c, gateway, grpc),
		tokens:    usersv1connect.NewTokenServiceClient(h2c, gateway, grpc),
		products:  productsv1connect.NewProductServiceClient(h2c, gateway, grpc),
		inventory: inventoryv1connect.NewInventoryServiceClient(h2c, gateway, grpc),
		orders:    ordersv1connect.NewOrderServiceClient(h2c, gateway, grpc),
	}
}

// signIn makes an account and answers what goes into the header `authorization`.
func (s services) signIn(ctx context.Context) (string, error) {
	email, password := "go-"+strings.ToLower(unique())+"@example.com", unique()
	account := &usersv1.CreateUserRequest{Email: email, Password: password, Name: "Go Customer"}
	user, err := s.users.CreateUser(ctx, connect.NewRequest(account))
	if err != nil {
		return "", err
	}
	grant := &usersv1.IssueTokenRequest{GrantType: "password", Username: email, Password: password}
	token, err := s.tokens.IssueToken(ctx, connect.NewRequest(grant))
	if err != nil {
		return "", err
	}
	say("registered", user.Msg.UserId, email)
	return "Bearer " + token.Msg.AccessToken, nil
}

// product is the one that is wanted, or the first one that is in stock.
func (s services) product(ctx context.Context, wanted string) (*productsv1.Product, error) {
	if wanted != "" {
		reply, err := s.products.GetProduct(ctx, connect.NewRequest(&productsv1.GetProductRequest{ProductId: wanted}))
		if err != nil {
			return nil, err
		}
		return reply.Msg, nil
	}
	page, err := s.products.ListProducts(ctx, connect.NewRequest(&productsv1.ListProductsRequest{}))
	if err != nil {
		return nil, err
	}
	for _, product := range page.Msg.Products {
		request := &inventoryv1.GetStockRequest{ProductId: product.ProductId}
		stock, err := s.inventory.GetStock(ctx, connect.NewRequest(request))
		if err != nil {
			return nil, err
		}
		if stock.Msg.Available > 0 {
			return product, nil
		}
	}
	return nil, errors.New("none is in stock; name one: go run . GATEWAY PRODUCT")
}

// order orders and watches the order.
func (s services) order(ctx context.Context, authorization string, draft *ordersv1.OrderDraft) (*ordersv1.Order, error) {
	request := &ordersv1.CreateOrderRequest{Order: draft, RequestId: unique()}
	placed, err := s.orders.CreateOrder(ctx, signed(request, authorization))
	if err != nil {
		return nil, err
	}
	id := placed.Msg.OrderId
	watch, err := s.orders.WatchOrder(ctx, signed(&ordersv1.WatchOrderRequest{OrderId: id}, authorization))
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	for watch.Receive() {
		if watch.Msg().State != ordersv1.Order_PENDING {
			return watch.Msg(), nil
		}
	}
	return nil, fmt.Errorf("the watch of %s ended while the order was PENDING: %w", id, watch.Err())
}
