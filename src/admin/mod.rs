//! The admin address: metrics and health over HTTP. It has a thread of its own, so that a slow reader of
//! metrics never holds up a message.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use crate::overload::{Level, Overload};
use crate::shard::Running;
use crate::telemetry::Telemetry;

/// What the handlers need.
#[derive(Clone)]
struct Office {
    telemetry: Arc<Telemetry>,
    overload: Arc<Overload>,
    running: watch::Receiver<Running>,
}

/// Starts serving on a bound socket.
///
/// # Errors
/// When the thread or its runtime can't be made.
pub fn start(
    socket: TcpListener,
    telemetry: Arc<Telemetry>,
    overload: Arc<Overload>,
    running: watch::Receiver<Running>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let office = Office { telemetry, overload, running };
    let work = move || {
        runtime.block_on(async move {
            let served = async {
                axum::serve(tokio::net::TcpListener::from_std(socket)?, router(office)).await
            };
            if let Err(error) = served.await {
                tracing::error!(%error, "the admin address stopped serving");
            }
        });
    };
    // The thread ends with the process: it has nothing to lose.
    thread::Builder::new().name("admin".to_owned()).spawn(work).map(drop)
}

fn router(office: Office) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(office)
}

async fn metrics(State(office): State<Office>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, office.telemetry.render()).into_response()
}

/// All shards run. Where one doesn't, only a new process helps.
async fn healthz(State(office): State<Office>) -> Response {
    match office.overload.stalled() {
        None => "ok\n".into_response(),
        Some(shard) => not_running(shard),
    }
}

fn not_running(shard: usize) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("shard {shard} does not run\n")).into_response()
}

/// New sessions are taken.
async fn readyz(State(office): State<Office>) -> Response {
    // The kernel still gives it connections, which nobody answers.
    if let Some(shard) = office.overload.stalled() {
        return not_running(shard);
    }
    let is_draining = *office.running.borrow() == Running::Draining;
    let hindrance = match office.overload.level() {
        _ if is_draining => "draining\n",
        Level::Normal => return "ready\n".into_response(),
        Level::Refusing | Level::Ending => "short of memory\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, hindrance).into_response()
}
