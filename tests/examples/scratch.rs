//! Scratch.
use kit::*;
use std::time::Duration;
#[tokio::main]
async fn main() {
    let t = std::time::Instant::now();
    let all = ["users","products","inventory","order-history","payments","shipping","gateway"].map(String::from).to_vec();
    let mut s = Stack::start(StackOptions { services: Some(all.clone()), ..Default::default() }).await;
    println!("started {:?} {}", t.elapsed(), s.data().display());
    let (me, user) = Client::register(&s).await;
    println!("{user}");
    println!("{:?}", me.get(&format!("/v1/users/{}", user["userId"].as_str().unwrap())).await.status);
    let staff = Client::staff(&s).await;
    println!("{:?}", staff.get(&format!("/v1/users/{}", user["userId"].as_str().unwrap())).await.status);
    println!("dbs {:?}", s.mongodb().list_database_names().await.unwrap());
    println!("users {:?}", s.db("users").collection::<bson::Document>("users").count_documents(bson::doc!{}).await);
    let n = s.nats().await;
    let js = async_nats::jetstream::new(n);
    eventually(Duration::from_secs(5), || async { Ok(js.get_stream("EVT_USERS").await.map(|s| println!("stream {}", s.cached_info().state.messages))?) }).await;
    let t = std::time::Instant::now(); s.kill().await; println!("kill {:?}", t.elapsed());
    let t = std::time::Instant::now(); s.restart().await; println!("restart {:?}", t.elapsed());
    println!("{:?}", Client::staff(&s).await.get(&format!("/v1/users/{}", user["userId"].as_str().unwrap())).await.status);
    let t = std::time::Instant::now(); s.kill_all().await; println!("kill_all {:?}", t.elapsed());
    let t = std::time::Instant::now(); s.restart().await; println!("restart {:?}", t.elapsed());
    
    println!("leak"); std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap(); drop(s);
    // serve
    let s = Stack::start(StackOptions { services: Some(all.into_iter().filter(|n| n != "payments").collect()), ..Default::default() }).await;
    let p = s.serve("payments");
    eventually(Duration::from_secs(10), || async { comptoir::healthcheck::grpc(s.grpc("payments")).await }).await;
    println!("serve payments healthy; {}", p.tail(3));
    p.stop(Duration::from_secs(10)).await.unwrap();
    s.stop().await;
    println!("done");
}
