module example.com/comptoir/order

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	example.com/comptoir/stubs v0.0.0
	google.golang.org/protobuf v1.36.12
)

require google.golang.org/genproto v0.0.0-20261026165753-2ffab32bce7e // indirect

replace example.com/comptoir/stubs => ../../stubs/go
