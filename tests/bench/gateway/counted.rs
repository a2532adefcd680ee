//! The pass-through and the gateway with an allocator that counts: how many allocations a request takes. Its time says nothing.

#[path = "floor.rs"]
mod floor;

use clap::Parser;
use comptoir::{
    Environment,
    args::{Cli, Command},
    serve,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Write,
    net::TcpListener,
    sync::atomic::{AtomicU64, Ordering},
};

#[global_allocator]
static COUNTING: Counting = Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts what is asked for, and what grows.
struct Counting;

// SAFETY: all is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind(std::env::var("COUNT_LISTEN")?)?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = write!(stream, "{}", COUNT.load(Ordering::Relaxed)); // who has gone needs no count
        }
    });
    let mut arguments = std::env::args().skip(1);
    if let (Some("floor"), Some(upstream)) = (arguments.next().as_deref(), arguments.next()) {
        return floor::run(&upstream);
    }
    let Command::Serve(options) = Cli::parse().command else { anyhow::bail!("floor and serve are counted") };
    let environment: Environment = std::env::vars().collect();
    tokio::runtime::Runtime::new()?.block_on(serve::run(options, &environment))
}
