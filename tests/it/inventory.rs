//! Inventory with real stores: reservations through its RPCs, and a flash sale that sells exactly what is there.

mod flash_sale;
mod reservations;
