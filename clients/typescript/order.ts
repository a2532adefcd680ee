// Registers a customer, signs in and orders twice, over gRPC and over JSON; waits each time until the order is CONFIRMED.
//
// Usage: npm start -- [GATEWAY [PRODUCT]]    by default http://127.0.0.1:8080 and the first product that is in stock

import { create, fromJsonString, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { InventoryService } from "@comptoir/stubs/comptoir/inventory/v1/inventory_pb.js";
import {
  type Order,
  Order_State,
  type OrderDraft,
  OrderDraftSchema,
  OrderSchema,
  OrderService,
} from "@comptoir/stubs/comptoir/orders/v1/orders_pb.js";
import { type Product, ProductService } from "@comptoir/stubs/comptoir/products/v1/products_pb.js";
import { TokenService, UserService } from "@comptoir/stubs/comptoir/users/v1/users_pb.js";

const DEADLINE_MS = 30_000;
const POLL_MS = 200;

const [gateway = "http://127.0.0.1:8080", wanted] = process.argv.slice(2);

function say(step: string, text: string): void {
  console.log(`${step.padEnd(10)} ${text}`);
}

/** A new account, signed in: what goes into the header `authorization`. */
async function signIn(grpc: Transport): Promise<string> {
  const [email, password] = [`ts-${crypto.randomUUID()}@example.com`, crypto.randomUUID()];
  const user = await createClient(UserService, grpc).createUser({ email, password, name: "TypeScript Customer" });
  const token = await createClient(TokenService, grpc).issueToken({ grantType: "password", username: email, password });
  say("registered", `${user.userId} ${email}`);
  return `Bearer ${token.accessToken}`;
}

/** The product that is wanted, or the first one that is in stock. */
async function product(grpc: Transport): Promise<Product> {
  const catalogue = createClient(ProductService, grpc);
  if (wanted !== undefined) return await catalogue.getProduct({ productId: wanted });
  const stock = createClient(InventoryService, grpc);
  for (const product of (await catalogue.listProducts({})).products) {
    if ((await stock.getStock({ productId: product.productId })).available > 0) return product;
  }
  throw new Error("no product is in stock; name one: npm start -- GATEWAY PRODUCT");
}

function draft({ productId }: Product): OrderDraft {
  const shippingAddress: MessageInitShape<typeof OrderDraftSchema>["shippingAddress"] = {
    name: "TypeScript Customer",
    line1: "1 rue de la Paix",
    city: "Paris",
    postalCode: "75002",
    countryCode: "FR",
  };
  return create(OrderDraftSchema, { items: [{ productId, quantity: 1 }], shippingAddress, paymentToken: "tok_visa" });
}

/** Orders and watches the order. */
async function orderOverGrpc(grpc: Transport, authorization: string, order: OrderDraft): Promise<Order> {
  const orders = createClient(OrderService, grpc);
  const headers = { authorization };
  const placed = await orders.createOrder({ order, requestId: crypto.randomUUID() }, { headers });
  // A stream that is left early keeps the timer of its own deadline, and with it the program: hence this signal instead.
  const bounded = { headers, timeoutMs: 0, signal: AbortSignal.timeout(DEADLINE_MS) };
  for await (const seen of orders.watchOrder({ orderId: placed.orderId }, bounded)) {
    if (seen.state !== Order_State.PENDING) return seen;
  }
  throw new Error(`the watch of ${placed.orderId} ended while the order was PENDING`);
}

/** Orders with a reply that waits for the outcome, and looks again where that takes longer. */
async function orderOverJson(authorization: string, draft: OrderDraft): Promise<Order> {
  let order = await call(authorization, "POST", "/v1/orders?wait=10s", toJsonString(OrderDraftSchema, draft));
  const end = Date.now() + DEADLINE_MS;
  while (order.state === Order_State.PENDING && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    order = await call(authorization, "GET", `/v1/orders/${order.orderId}`);
  }
  return order;
}

/** One request for an order. Fields that a later release adds are no error. */
async function call(authorization: string, method: string, path: string, body?: string): Promise<Order> {
  const headers: Record<string, string> = { authorization };
  if (body !== undefined) {
    headers["content-type"] = "application/json";
    headers["idempotency-key"] = crypto.randomUUID();
  }
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const reply = await fetch(gateway + path, { method, headers, signal, ...(body !== undefined && { body }) });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path} answers ${reply.status}: ${text}`);
  return fromJsonString(OrderSchema, text, { ignoreUnknownFields: true });
}

function confirmed(over: string, order: Order): void {
  const total = order.total;
  const amount = total && `${total.units}.${String(total.nanos).padStart(9, "0").slice(0, 2)} ${total.currencyCode}`;
  say(over, `${order.orderId} ${Order_State[order.state]} ${amount}`);
  if (order.state !== Order_State.CONFIRMED) throw new Error(`${order.orderId} is not CONFIRMED: ${order.reason}`);
}

async function main(sessionManager: Http2SessionManager): Promise<void> {
  const grpc = createGrpcTransport({ baseUrl: gateway, sessionManager, defaultTimeoutMs: DEADLINE_MS });
  const authorization = await signIn(grpc);
  const chosen = await product(grpc);
  say("product", `${chosen.productId} ${chosen.name}`);
  confirmed("gRPC", await orderOverGrpc(grpc, authorization, draft(chosen)));
  confirmed("JSON", await orderOverJson(authorization, draft(chosen)));
}

const connections = new Http2SessionManager(gateway);
try {
  await main(connections);
} catch (error) {
  console.error(`order: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  connections.abort();
}
