//! `tracing`: where traces of requests go.

use serde::Deserialize;

use super::value::Secret;

/// `tracing`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tracing {
    /// Where traces go; `None`: nowhere.
    pub provider: Option<TracingProvider>,
    /// Our name in traces.
    pub service_name: Option<String>,
    /// The environment's name in traces.
    pub deployment_environment: Option<String>,
    /// The details of each provider.
    pub providers: TracingProviders,
}

/// Where traces go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TracingProvider {
    /// An OpenTelemetry collector (OTLP over HTTP).
    Otel,
    /// A Jaeger agent.
    Jaeger,
    /// A Zipkin collector.
    Zipkin,
}

/// `tracing.providers`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TracingProviders {
    /// OpenTelemetry.
    pub otlp: Otlp,
    /// Jaeger.
    pub jaeger: Jaeger,
    /// Zipkin.
    pub zipkin: Zipkin,
}

/// `tracing.providers.otlp`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Otlp {
    /// The collector, `host:port`.
    pub server_url: Option<String>,
    /// Whether it is spoken to without TLS.
    pub insecure: bool,
    /// The Authorization header it is sent.
    pub authorization_header: Option<Secret>,
    /// The share of requests that is traced.
    pub sampling: Sampling,
}

/// `tracing.providers.jaeger`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Jaeger {
    /// The agent, `host:port`.
    pub local_agent_address: Option<String>,
    /// The share of requests that is traced.
    pub sampling: Sampling,
}

/// `tracing.providers.zipkin`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Zipkin {
    /// The collector.
    pub server_url: Option<String>,
    /// The share of requests that is traced.
    pub sampling: Sampling,
}

/// The share of requests that is traced.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// From 0 to 1; `None`: all.
    #[serde(alias = "trace_id_ratio")]
    pub sampling_ratio: Option<f64>,
    /// Jaeger: the server that tells the share.
    pub server_url: Option<String>,
}
