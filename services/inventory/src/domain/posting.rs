//! A posting: how far a cause moves the counters of a product. Pure.

/// Changes of the counters of a product, in units; the constants are per unit of a line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shift {
    pub on_hand: i32,
    pub reserved: i32,
    pub committed: i32,
}

pub const HOLD: Shift = Shift::new(0, 1, 0);
pub const COMMIT: Shift = Shift::new(0, -1, 1);
pub const RELEASE_HELD: Shift = Shift::new(0, -1, 0);
pub const RELEASE_COMMITTED: Shift = Shift::new(0, 0, -1);
pub const SHIP: Shift = Shift::new(-1, 0, -1);

impl Shift {
    const fn new(on_hand: i32, reserved: i32, committed: i32) -> Self {
        Self { on_hand, reserved, committed }
    }

    pub const fn on_hand(units: i32) -> Self {
        Self::new(units, 0, 0)
    }

    pub const fn times(self, units: i32) -> Self {
        Self::new(self.on_hand * units, self.reserved * units, self.committed * units)
    }
}

/// A line for the ledger, without product, cause and time.
pub struct Posting {
    /// Names the cause; unique.
    pub id: String,
    pub reference: String,
    pub shift: Shift,
}

impl Posting {
    pub fn adjust(key: &str, reason: &str, delta: i32) -> Self {
        Self { id: key.to_owned(), reference: reason.to_owned(), shift: Shift::on_hand(delta) }
    }
}
