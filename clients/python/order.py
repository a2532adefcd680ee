"""Registers a customer, signs in and orders twice, over gRPC and over JSON; waits each time until the order is CONFIRMED.

Usage: order.py [GATEWAY [PRODUCT]]    by default http://127.0.0.1:8080 and the first product that is in stock
"""

import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import TypedDict

from comptoir_stubs.comptoir.inventory.v1.inventory_connect import InventoryServiceClientSync
from comptoir_stubs.comptoir.inventory.v1.inventory_pb import GetStockRequest
from comptoir_stubs.comptoir.orders.v1.orders_connect import OrderServiceClientSync
from comptoir_stubs.comptoir.orders.v1.orders_pb import (
    CreateOrderRequest,
    Order,
    OrderDraft,
    OrderDraftItem,
    WatchOrderRequest,
)
from comptoir_stubs.comptoir.products.v1.products_connect import ProductServiceClientSync
from comptoir_stubs.comptoir.products.v1.products_pb import GetProductRequest, ListProductsRequest, Product
from comptoir_stubs.comptoir.shipping.v1.shipping_pb import Address
from comptoir_stubs.comptoir.users.v1.users_connect import TokenServiceClientSync, UserServiceClientSync
from comptoir_stubs.comptoir.users.v1.users_pb import CreateUserRequest, IssueTokenRequest
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

DEADLINE_SECONDS = 30
POLL_SECONDS = 0.2


class Failed(Exception):
    """What went wrong, for the last line of the output."""


def say(step: str, text: str) -> None:
    print(f"{step:<10} {text}", flush=True)


class Options(TypedDict):
    """What the clients of all services have in common."""

    protocol: ProtocolType
    send_compression: None
    timeout_ms: int
    http_client: SyncClient


class Grpc:
    """The services behind the gateway, over HTTP/2 without TLS."""

    def __init__(self, gateway: str) -> None:
        # The services read no compressed gRPC.
        options: Options = {
            "protocol": ProtocolType.GRPC,
            "send_compression": None,
            "timeout_ms": DEADLINE_SECONDS * 1000,
            "http_client": SyncClient(SyncHTTPTransport(http_version=HTTPVersion.HTTP2)),
        }
        self.users = UserServiceClientSync(gateway, **options)
        self.tokens = TokenServiceClientSync(gateway, **options)
        self.products = ProductServiceClientSync(gateway, **options)
        self.inventory = InventoryServiceClientSync(gateway, **options)
        self.orders = OrderServiceClientSync(gateway, **options)

    def sign_in(self) -> str:
        """A new account, signed in: what goes into the header `authorization`."""
        email, password = f"py-{uuid.uuid4()}@example.com", str(uuid.uuid4())
        user = self.users.create_user(CreateUserRequest(email=email, password=password, name="Python Customer"))
        grant = IssueTokenRequest(grant_type="password", username=email, password=password)
        token = self.tokens.issue_token(grant)
        say("registered", f"{user.user_id} {email}")
        return f"Bearer {token.access_token}"

    def product(self, wanted: str | None) -> Product:
        """The product that is wanted, or the first one that is in stock."""
        if wanted is not None:
            return self.products.get_product(GetProductRequest(product_id=wanted))
        for product in self.products.list_products(ListProductsRequest()).products:
            if self.inventory.get_stock(GetStockRequest(product_id=product.product_id)).available > 0:
                return product
        raise Failed("no product is in stock; name one: order.py GATEWAY PRODUCT")

    def order(self, authorization: str, draft: OrderDraft) -> Order:
        """Orders and watches the order."""
        headers = {"authorization": authorization}
        request = CreateOrderRequest(order=draft, request_id=str(uuid.uuid4()))
        placed = self.orders.create_order(request, headers=headers)
        for seen in self.orders.watch_order(WatchOrderRequest(order_id=placed.order_id), headers=headers):
            if seen.state != Order.State.PENDING:
                return seen
        raise Failed(f"the watch of {placed.order_id} ended while the order was PENDING")


def draft(product: Product) -> OrderDraft:
    return OrderDraft(
        items=[OrderDraftItem(product_id=product.product_id, quantity=1)],
        shipping_address=Address(
            name="Python Customer", line1="1 rue de la Paix", city="Paris", postal_code="75002", country_code="FR"
        ),
        payment_token="tok_visa",
    )


class Json:
    """The routes of the gateway, with the same messages as ProtoJSON."""

    def __init__(self, gateway: str, authorization: str) -> None:
        self.gateway, self.authorization = gateway, authorization

    def order(self, draft: OrderDraft) -> Order:
        """Orders with a reply that waits for the outcome, and looks again where that takes longer."""
        order = self.call("POST", "/v1/orders?wait=10s", draft.to_json())
        end = time.monotonic() + DEADLINE_SECONDS
        while order.state == Order.State.PENDING and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            order = self.call("GET", f"/v1/orders/{order.order_id}")
        return order

    def call(self, method: str, path: str, body: str | None = None) -> Order:
        """One request for an order. Fields that a later release adds are no error."""
        headers = {"authorization": self.authorization}
        if body is not None:
            headers |= {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
        data = None if body is None else body.encode()
        request = urllib.request.Request(self.gateway + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as reply:
                return Order.from_json(reply.read(), ignore_unknown_fields=True)
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path} answers {error.code}: {error.read().decode()}") from None


def confirmed(over: str, order: Order) -> None:
    total = order.total
    amount = f"{total.units}.{total.nanos // 10_000_000:02} {total.currency_code}" if total else "for nothing"
    say(over, f"{order.order_id} {order.state.name} {amount}")
    if order.state != Order.State.CONFIRMED:
        raise Failed(f"{order.order_id} is not CONFIRMED: {order.reason}")


def main(gateway: str = "http://127.0.0.1:8080", wanted: str | None = None) -> None:
    grpc = Grpc(gateway)
    authorization = grpc.sign_in()
    product = grpc.product(wanted)
    say("product", f"{product.product_id} {product.name}")
    confirmed("gRPC", grpc.order(authorization, draft(product)))
    confirmed("JSON", Json(gateway, authorization).order(draft(product)))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except ConnectError as error:
        sys.exit(f"order: {error.code.value}: {error.message}")
    except (Failed, OSError) as error:
        sys.exit(f"order: {error}")
