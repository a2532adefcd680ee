//! What must hold, by name.

use super::{
    audit, availability, baskets,
    cluster::{Cluster, Scope},
    coupons, deliveries, emails, erasures, facts, groups, history, ledgers, money, orders, reservations, sequences,
    shipments, stock, streams,
    violation::Examined,
};
use clap::ValueEnum;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Invariant {
    /// The counters of a product are the sums of its movements.
    StockIsItsMovements,
    /// What is reserved and committed is what the reservations say, and nothing is oversold.
    StockIsItsReservations,
    /// The products that are available are those of which inventory has units.
    AvailabilityIsStock,
    /// A group of products counts its variants, which have its options.
    GroupsCountTheirVariants,
    /// No reservation without an order, none held past its end, and each is where its order is.
    ReservationsHaveOrders,
    /// An order's saga has ended with it, or lives: it has a time to wake, or is parked with a reason.
    OrdersEndOrLive,
    /// A coupon counts its redemptions, and these are of orders that are being placed or were confirmed.
    CouponsAreTheirRedemptions,
    /// A basket that is checked out names an order: its own, of its user and lines.
    BasketsAreTheirOrders,
    /// The payment is where its order believes it to be, for the order's total.
    PaymentsAgree,
    /// Refunds are within captures and these within authorizations; the amounts that were told are the fold of the ledger.
    LedgersAreSound,
    /// What was captured and not refunded is what the orders owe.
    MoneyIsOwed,
    /// The provider's book has each payment once, in the same state and with the same amounts.
    ChargesAgree,
    /// The shipment is where its order believes it to be.
    ShipmentsAgree,
    /// The units of an order's shipments are those of the order.
    ShipmentsCarryOrders,
    /// The events of each aggregate are numbered without gaps, up to the document itself.
    SequencesAreWhole,
    /// The log is the stream: what waits goes out, in order, and nothing else is there.
    StreamsAreLogs,
    /// The rows of order-history are the orders.
    HistoryIsOrders,
    /// The facts of analytics are the orders: what was sold, cancelled and refunded.
    FactsAreOrders,
    /// The net of each order is what the ledger of its payment has kept.
    RevenueIsTheLedger,
    /// Each event that asks for a mail has one, and each mail has its event.
    EmailsAreTheirEvents,
    /// The audit trail has one entry for each event of each log and no other, and its chains are whole.
    AuditIsTheLogs,
    /// Each event that an endpoint wants has its delivery, and each delivery its event.
    DeliveriesAreTheirEvents,
    /// Each deleted account has an erasure, which lives, or is completed and has left nothing; no other account has one.
    ErasuresEndOrLive,
}

impl Invariant {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 23] = [
        Self::StockIsItsMovements,
        Self::StockIsItsReservations,
        Self::AvailabilityIsStock,
        Self::GroupsCountTheirVariants,
        Self::ReservationsHaveOrders,
        Self::OrdersEndOrLive,
        Self::CouponsAreTheirRedemptions,
        Self::BasketsAreTheirOrders,
        Self::PaymentsAgree,
        Self::LedgersAreSound,
        Self::MoneyIsOwed,
        Self::ChargesAgree,
        Self::ShipmentsAgree,
        Self::ShipmentsCarryOrders,
        Self::SequencesAreWhole,
        Self::StreamsAreLogs,
        Self::HistoryIsOrders,
        Self::FactsAreOrders,
        Self::RevenueIsTheLedger,
        Self::EmailsAreTheirEvents,
        Self::AuditIsTheLogs,
        Self::DeliveriesAreTheirEvents,
        Self::ErasuresEndOrLive,
    ];

    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Looks once, at everything or at some subjects.
    pub async fn examine(self, cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
        match self {
            Self::StockIsItsMovements => stock::movements(cluster, scope).await,
            Self::StockIsItsReservations => stock::reservations(cluster, scope).await,
            Self::AvailabilityIsStock => availability::examine(cluster, scope).await,
            Self::GroupsCountTheirVariants => groups::examine(cluster, scope).await,
            Self::ReservationsHaveOrders => reservations::examine(cluster, scope).await,
            Self::OrdersEndOrLive => orders::examine(cluster, scope).await,
            Self::CouponsAreTheirRedemptions => coupons::examine(cluster, scope).await,
            Self::BasketsAreTheirOrders => baskets::examine(cluster, scope).await,
            Self::PaymentsAgree => money::payments(cluster, scope).await,
            Self::LedgersAreSound => ledgers::sound(cluster, scope).await,
            Self::MoneyIsOwed => ledgers::owed(cluster, scope).await,
            Self::ChargesAgree => money::charges(cluster, scope).await,
            Self::ShipmentsAgree => shipments::examine(cluster, scope).await,
            Self::ShipmentsCarryOrders => shipments::carry(cluster, scope).await,
            Self::SequencesAreWhole => sequences::examine(cluster, scope).await,
            Self::StreamsAreLogs => streams::examine(cluster, scope).await,
            Self::HistoryIsOrders => history::examine(cluster, scope).await,
            Self::FactsAreOrders => facts::orders(cluster, scope).await,
            Self::RevenueIsTheLedger => facts::ledger(cluster, scope).await,
            Self::EmailsAreTheirEvents => emails::examine(cluster, scope).await,
            Self::AuditIsTheLogs => audit::examine(cluster, scope).await,
            Self::DeliveriesAreTheirEvents => deliveries::examine(cluster, scope).await,
            Self::ErasuresEndOrLive => erasures::examine(cluster, scope).await,
        }
    }
}
