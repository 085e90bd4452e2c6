//! The demo gateway: a real server on a loopback port, whose models answer from the prompt itself. No key, no network.

mod model;
mod reply;
mod sample;
mod vector;

use std::net::TcpListener;
use std::thread;

use axum::serve::ListenerExt;
use serde_json::json;
use tokio::sync::oneshot;

use self::model::{MODELS, Personalities};
use super::router;
use crate::error::Error;
use crate::money::Usd;
use crate::rates::{Rates, Tariff};

/// The demo gateway while it runs; dropping it stops the server.
#[derive(Debug)]
pub struct Demo {
    port: u16,
    _stop: oneshot::Sender<()>,
}

impl Demo {
    /// Starts the server on a free loopback port, on a thread of its own, so that its work does not show in our times.
    pub fn start() -> Result<Self, Error> {
        let cannot = |error: std::io::Error| Error::Config {
            message: "the demo gateway cannot be started".into(),
            cause: Some(error.to_string()),
            hint: None,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("demo".into())
            .spawn(move || {
                runtime.block_on(async move {
                    // Neither can fail for a socket that is bound and a runtime that runs.
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    // Tokens leave as they are made.
                    let listener = listener.tap_io(|connection| {
                        // Refused only for connections that are gone.
                        let _ = connection.set_nodelay(true);
                    });
                    let router = router(Personalities::default(), model_list());
                    // Whoever sends is this process, and has limits of its own.
                    let router = router.layer(axum::extract::DefaultBodyLimit::disable());
                    let server = axum::serve(listener, router);
                    tokio::select! {
                        _ = server => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(cannot)?;
        Ok(Self { port, _stop: stop })
    }

    /// Where it speaks the formats of OpenAI and Anthropic; Gemini's is at `/v1beta` beside it as well.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

/// What every demo model takes, and last what one of them does.
const PARAMETERS: [&str; 3] = ["tools", "response_format", "reasoning"];

/// The body of `GET /v1/models`, in OpenRouter's shape: prices are strings in USD per token.
pub fn model_list() -> Vec<u8> {
    let models: Vec<_> = MODELS
        .iter()
        .map(|model| {
            json!({
                "id": model.name,
                "object": "model",
                "created": 0,
                "owned_by": "demo",
                "description": model.about,
                "context_length": 8192,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                "pricing": {
                    "prompt": Usd::from_picos(model.input).to_decimal(),
                    "completion": Usd::from_picos(model.output).to_decimal(),
                },
                "supported_parameters": if model.name == "demo/thinker" { &PARAMETERS[..] } else { &PARAMETERS[..2] },
            })
        })
        .collect();
    json!({"object": "list", "data": models}).to_string().into_bytes()
}

/// What the list says of prices, for those who need not ask for it.
pub fn prices() -> impl Iterator<Item = (String, Tariff)> {
    MODELS.iter().map(|model| {
        let rates = Rates {
            input: Some(Usd::from_picos(model.input)),
            output: Some(Usd::from_picos(model.output)),
            ..Rates::default()
        };
        (model.name.to_owned(), Tariff { base: rates, steps: Vec::new() })
    })
}
