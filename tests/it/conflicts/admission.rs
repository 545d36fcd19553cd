//! A mutating webhook between us and the object.

use std::time::{Duration, Instant};

use kube::api::DeleteParams;
use serde_json::json;

use super::contest::{OURS, contest};
use super::play::Play;
use super::stage::config_map;
use crate::support::Result;
use crate::support::installation::DEADLINE;
use crate::support::webhook::Webhook;

pub(crate) async fn row_40_what_a_webhook_changes_is_told_of_until_it_ends(play: &mut Play) -> Result {
    let namespace = play.stage.namespace.name().to_owned();
    let webhook = Webhook::start(json!([{"op": "replace", "path": "/data/a", "value": "injected"}])).await?;
    let configuration = webhook.configuration(&namespace);
    play.stage.create_as("admin", &configuration).await;
    play.leaves_behind(&configuration);
    // The server takes a moment until it knows the webhook.
    let chart = |value: &str| config_map("config", json!({"a": value, "b": value}));
    let started = Instant::now();
    loop {
        play.stage.apply_as("probe", &chart("probe")).await;
        if play.live(&chart("")).await["data"]["a"] == "injected" {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "the webhook was never called");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (api, name) = play.stage.api(&chart("")).await;
    api.delete(&name, &DeleteParams::default()).await?;

    // When it is created, and when it is changed.
    for value in ["1", "2"] {
        play.wants(&[chart(value)]).await?;
        let line = ".data.a admission Admission Yielded by admission";
        let release = play.tells(&[contest(&chart(value), line, "injected", &[OURS])]).await?;
        let field = serde_json::to_value(&release)?["status"]["ownership"]["contested"][0].clone();
        assert_eq!(field["ours"], value);
        play.is_ready().await?;
        play.has(&chart(value), ".data.b", &json!(value)).await?;
    }

    webhook.rests();
    play.installs(&[chart("3")]).await?;
    play.has(&chart("3"), ".data.a", &json!("3")).await?;
    play.tells_nothing().await?;
    Ok(())
}
