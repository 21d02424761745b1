use crate::error::Error;
use crate::parse;
use crate::secret::Secret;
use crate::setting::Settings;

/// Logs and traces.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The form of log lines.
    pub log_format: LogFormat,
    /// What is logged: `EnvFilter` directives, not empty, otherwise as written.
    pub log_level: String,
    /// The base URL of an OTLP/HTTP collector, http or https, without a slash at the end; it may contain a
    /// user and a password. Traces go to `/v1/traces` below it. `None`: no traces are sent.
    pub otlp_endpoint: Option<Secret>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

impl Telemetry {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Error> {
        let endpoint = settings.find_filled("telemetry.otlp_endpoint")?;
        let endpoint = endpoint
            .map(|setting| setting.parsed(parse::http_url))
            .transpose()?;
        Ok(Self {
            log_format: settings
                .get("telemetry.log_format")?
                .parsed(LogFormat::from_name)?,
            log_level: settings
                .get("telemetry.log_level")?
                .parsed(|text| parse::is_printable(text.trim()).then(|| text.to_owned()))?,
            otlp_endpoint: endpoint.map(|url| Secret::new(parse::base(&url))),
        })
    }
}

impl LogFormat {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.name() == name)
    }
}
