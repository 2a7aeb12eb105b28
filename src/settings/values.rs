//! The choices a setting offers, each with its name, and the secret that is never printed.

/// A kind of backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Phoenix,
    Arize,
    Otlp,
    /// The local archive alone.
    Local,
}

/// OTLP over gRPC or over HTTP with protobuf bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// Which tree a turn becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanTree {
    Turn,
    Calls,
}

/// A set of attribute names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SemanticConventions {
    OpenInference,
    /// OpenTelemetry's own names for generative AI.
    GenAi,
    Both,
}

/// Place of delivery: a detached process, or the hook itself before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportMode {
    Background,
    Sync,
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Secret {
        Secret(value)
    }

    /// The value itself, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SpanTree {
    pub const NAMES: [(&'static str, SpanTree); 2] = [("turn", SpanTree::Turn), ("calls", SpanTree::Calls)];

    pub fn parse(name: &str) -> Option<SpanTree> {
        SpanTree::NAMES.iter().find(|(n, _)| *n == name).map(|(_, tree)| *tree)
    }
}

impl SemanticConventions {
    pub const NAMES: [(&'static str, SemanticConventions); 3] = [
        ("openinference", SemanticConventions::OpenInference),
        ("gen_ai", SemanticConventions::GenAi),
        ("both", SemanticConventions::Both),
    ];
}

impl ExportMode {
    pub const NAMES: [(&'static str, ExportMode); 2] =
        [("background", ExportMode::Background), ("sync", ExportMode::Sync)];
}

impl Protocol {
    pub const NAMES: [(&'static str, Protocol); 2] =
        [("grpc", Protocol::Grpc), ("http/protobuf", Protocol::HttpProtobuf)];

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::HttpProtobuf => "http/protobuf",
        }
    }
}

impl Target {
    pub const NAMES: [(&'static str, Target); 4] = [
        ("phoenix", Target::Phoenix),
        ("arize", Target::Arize),
        ("otlp", Target::Otlp),
        ("local", Target::Local),
    ];

    pub fn parse(name: &str) -> Option<Target> {
        Target::NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.trim())).map(|(_, t)| *t)
    }

    pub fn name(self) -> &'static str {
        match self {
            Target::Phoenix => "phoenix",
            Target::Arize => "arize",
            Target::Otlp => "otlp",
            Target::Local => "local",
        }
    }
}
