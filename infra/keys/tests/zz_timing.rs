mod common;
use common::*;
use schemas::{ids::WorkspaceId, partition::*};
use std::time::Instant;
#[tokio::test]
async fn timing() {
    let home = Home::new();
    let k = home.keyring().await;
    let mut ids = vec![];
    for i in 0..200u8 { let ws = WorkspaceId([i;16]); k.create_workspace(ws).await.unwrap(); for d in 0..10 { ids.push((ws, PartitionDay(20000+d), RetentionClass::STANDARD)); } }
    let t = Instant::now(); k.day_keys_or_create(&ids).await.unwrap(); eprintln!("create 2000: {:?}", t.elapsed());
    let t = Instant::now(); k.day_keys_or_create(&ids).await.unwrap(); eprintln!("cached 2000: {:?}", t.elapsed());
    let k2 = home.keyring().await;
    let t = Instant::now(); k2.day_keys_or_create(&ids).await.unwrap(); eprintln!("cold 2000: {:?}", t.elapsed());
    let t = Instant::now(); k.destroy_day_keys(&ids).await.unwrap(); eprintln!("destroy 2000: {:?}", t.elapsed());
    let t = Instant::now(); let mut r = vec![]; for _ in 0..20000 { r.push(k.seal(WorkspaceId([1;16]), EVENT, 1, &[0;400]).await.unwrap()); } eprintln!("seal 20000: {:?}", t.elapsed());
    let t = Instant::now(); for x in &r { k.open_record(x).await.unwrap(); } eprintln!("open 20000: {:?}", t.elapsed());
}
