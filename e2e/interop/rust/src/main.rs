//! client-rust's raw client, unmodified, against a cluster: `interop PD_ADDRESS[,PD_ADDRESS...] [v2]`.
//!
//! Its scan (0.4.0) starts over at the first key when it reaches the end of the last region, so
//! the cluster must have a region border behind "rust/": `with-cluster -split s`.

use tikv_client::{Config, KvPair, RawClient, Result};

fn key(n: usize) -> String {
    format!("rust/{n:06}")
}

async fn points(client: &RawClient) -> Result<()> {
    assert_eq!(client.get("rust/absent".to_owned()).await?, None);
    client.put("rust/a".to_owned(), "1".to_owned()).await?;
    assert_eq!(client.get("rust/a".to_owned()).await?, Some(b"1".to_vec()));
    client.put("rust/empty".to_owned(), "".to_owned()).await?;
    assert_eq!(client.get("rust/empty".to_owned()).await?, Some(vec![]));
    client.delete("rust/a".to_owned()).await?;
    assert_eq!(client.get("rust/a".to_owned()).await?, None);
    Ok(())
}

async fn batches_and_scans(client: &RawClient) -> Result<()> {
    let pairs: Vec<KvPair> =
        (0..500).map(|n| KvPair::new(key(n), format!("value {n}"))).collect();
    client.batch_put(pairs).await?;
    let got = client.batch_get((0..500).map(key).collect::<Vec<_>>()).await?;
    assert_eq!(got.len(), 500);
    let scanned = client.scan(key(100)..key(200), 1000).await?;
    assert_eq!(scanned.len(), 100);
    assert!(scanned.windows(2).all(|w| w[0].key() < w[1].key()));
    let keys = client.scan_keys(key(0)..key(500), 7).await?;
    assert_eq!(keys.len(), 7);
    let several = client.batch_scan(vec![key(0)..key(10), key(20)..key(30)], 5).await?;
    assert_eq!(several.len(), 10);
    client.batch_delete((0..100).map(key).collect::<Vec<_>>()).await?;
    assert_eq!(client.scan(key(0)..key(500), 1000).await?.len(), 400);
    client.delete_range(key(0)..key(500)).await?;
    assert!(client.scan(key(0)..key(500), 1000).await?.is_empty());
    Ok(())
}

async fn compare_and_swap(client: &RawClient) -> Result<()> {
    let atomic = client.with_atomic_for_cas();
    let name = "rust/cas".to_owned();
    atomic.delete(name.clone()).await?;
    assert_eq!(atomic.compare_and_swap(name.clone(), None, "1".to_owned()).await?, (None, true));
    let wrong = atomic
        .compare_and_swap(name.clone(), Some(b"2".to_vec()), "3".to_owned())
        .await?;
    assert_eq!(wrong, (Some(b"1".to_vec()), false));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let addresses = std::env::args().nth(1).expect("usage: interop PD_ADDRESS[,PD_ADDRESS...]");
    let config = match std::env::args().nth(2).as_deref() {
        Some("v2") => Config::default().with_default_keyspace(),
        _ => Config::default(),
    };
    let client = RawClient::new_with_config(addresses.split(',').collect(), config).await?;
    points(&client).await?;
    batches_and_scans(&client).await?;
    compare_and_swap(&client).await?;
    println!("client-rust raw: 3 passed, 0 failed");
    Ok(())
}
