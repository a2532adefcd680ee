//! Two relays that both believe they lead.

use super::shop::Shop;
use std::time::Duration;

/// How often the lease is taken from its holder.
const TURN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn two_relays_that_take_the_lease_from_each_other_publish_each_event_once() {
    let shop = Shop::open().await;
    let both = [shop.relay(), shop.relay()];
    let ids = shop.written.products(6, 2).await;
    shop.next_term(0).await;
    let writer = async {
        for round in 0..80 {
            shop.written.update(&ids[round % ids.len()], 1 + round % 3).await;
            tokio::time::sleep(Duration::from_millis(20)).await; // spreads the writes over the terms
        }
    };
    let usurper = async {
        loop {
            tokio::time::sleep(TURN).await;
            shop.expire_lease().await;
        }
    };
    tokio::select! {
        () = writer => {}
        () = usurper => {}
    }
    shop.settled().await;
    assert!(shop.epoch().await > 2, "the lease has not changed hands");
    for relay in both {
        let output = relay.output();
        assert!(relay.is_running() && output.contains("this relay leads"), "it never led:\n{output}");
        relay.kill().await;
    }
}

#[tokio::test]
async fn a_relay_that_sleeps_longer_than_its_lease_changes_nothing_when_it_wakes() {
    let shop = Shop::open().await;
    let sleeper = shop.relay();
    let ids = shop.written.products(4, 5).await;
    shop.settled().await;
    let epoch = shop.epoch().await;
    sleeper.pause().await.expect("it stops");
    let other = shop.relay();
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    shop.next_term(epoch).await; // by the clock of the primary
    sleeper.resume();
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    shop.settled().await;
    sleeper.kill().await;
    other.kill().await;
}

/// At each point a relay stops in the middle of a step, another one does that step and more, and then the first goes on.
#[tokio::test]
async fn a_relay_that_sleeps_in_the_middle_of_a_step_is_refused_when_it_goes_on() {
    let shop = Shop::open().await;
    let ids = shop.written.products(4, 2).await;
    for point in
        ["relay.appending:2", "relay.appended:2", "relay.publishing:2", "relay.batch:3", "relay.acknowledged:2"]
    {
        let sleeper = shop.relay_until(&format!("{point}:stop"));
        let epoch = shop.epoch().await;
        shop.next_term(epoch).await;
        let asleep = async {
            let limit = Duration::from_secs(30);
            sleeper.paused(limit).await.unwrap_or_else(|error| panic!("{point} was not reached: {error:#}"));
        };
        let writing = async {
            for round in 0.. {
                // A full outbox is refused: nobody empties it while the relay sleeps.
                let _ = shop.written.try_update(&ids[round % ids.len()], 3).await;
            }
        };
        tokio::select! {
            () = asleep => {}
            () = writing => {}
        }
        let epoch = shop.epoch().await;
        shop.expire_lease().await;
        let other = shop.relay();
        shop.next_term(epoch).await;
        shop.settled().await;
        sleeper.resume();
        for id in &ids {
            shop.written.update(id, 3).await;
        }
        shop.settled().await;
        sleeper.kill().await;
        other.kill().await;
        shop.expire_lease().await;
    }
}
