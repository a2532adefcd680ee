module example.com/comptoir/stubs

go 1.26.0

require (
	connectrpc.com/connect v1.21.1
	google.golang.org/genproto v0.0.0-20261026165753-2ffab32bce7e
	google.golang.org/protobuf v1.36.12
)
