//! The demo gateway: an HTTP server on a loopback port, whose models make their answers from the prompt. It needs neither
//! a key nor a network.

mod batches;
mod embeddings;
mod judge;
mod model;
mod reply;
mod sample;
mod server;
mod tokens;
mod vector;

use std::net::TcpListener;
use std::thread;

use axum::serve::ListenerExt;
use serde_json::json;
use tokio::sync::oneshot;

pub(crate) use self::model::CONTEXT;
use self::model::{DemoModels, MODELS, Skill};
use self::server::router;
use crate::error::Error;
use crate::money::Usd;
use crate::rates::{Rates, Tariff};
use crate::resources;

/// The demo gateway while it runs. Dropping the value stops the server.
#[derive(Debug)]
pub struct Demo {
    port: u16,
    _stop: oneshot::Sender<()>,
}

impl Demo {
    /// Starts the server on a free loopback port. It has a thread of its own, so that its work does not delay the clocks of
    /// the calls that it answers.
    ///
    /// # Errors
    /// The system has no port, thread or event queue to give.
    pub fn start() -> Result<Self, Error> {
        let cannot = |error: std::io::Error| Error::system("the demo gateway cannot be started", &error);
        resources::check_event_loop().map_err(cannot)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let listener = {
            let _runtime = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(cannot)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("demo".into())
            .spawn(move || {
                runtime.block_on(async move {
                    // Each token is sent as soon as it is made.
                    let listener = listener.tap_io(|connection| {
                        // Only a connection that is closed already refuses the option.
                        let _ = connection.set_nodelay(true);
                    });
                    let router = router(DemoModels::default(), model_list());
                    // The client is this process or one of the same machine; the client limits its bodies itself.
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

    /// The base URL for all formats. Gemini's is served below `/v1beta` of the same origin as well.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

/// The parameters that all demo models take.
const PARAMETERS: [&str; 4] = ["tools", "response_format", "stream", "max_tokens"];

/// The body of `GET /v1/models` in OpenRouter's form: prices are texts in US dollars per token. The time of creation, which
/// clients demand, is 0 because the models have none.
pub fn model_list() -> Vec<u8> {
    let models: Vec<_> = MODELS
        .iter()
        .filter(|model| model.is_listed)
        .map(|model| {
            json!({
                "id": model.name,
                "object": "model",
                "created": 0,
                "owned_by": "demo",
                "description": model.about,
                "context_length": CONTEXT,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                "pricing": {
                    "prompt": Usd::from_picos(model.input).to_decimal(),
                    "completion": Usd::from_picos(model.output).to_decimal(),
                },
                "supported_parameters": parameters(model.skills),
            })
        })
        .collect();
    json!({"object": "list", "data": models}).to_string().into_bytes()
}

/// The names of all parameters that a model with these skills takes.
fn parameters(skills: &[Skill]) -> Vec<&'static str> {
    PARAMETERS.into_iter().chain(skills.iter().map(|skill| skill.parameter())).collect()
}

/// The names of the models and their prices, as the list has them, without a request.
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
