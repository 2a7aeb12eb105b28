//! The service tier a request was made in; OpenAI prices each on its own.

/// A tier with a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Standard,
    Flex,
    /// Codex's fast mode.
    Priority,
    Ultrafast,
}

impl Tier {
    pub const ALL: [Tier; 4] = [Tier::Standard, Tier::Flex, Tier::Priority, Tier::Ultrafast];

    /// Reads a tier as Codex records it; where nothing is recorded the standard one was in force. `None` for a tier
    /// whose price nobody knows here.
    pub fn parse(name: Option<&str>) -> Option<Tier> {
        match name.unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "auto" | "default" | "standard" => Some(Tier::Standard),
            "flex" => Some(Tier::Flex),
            "priority" | "fast" => Some(Tier::Priority),
            "ultrafast" => Some(Tier::Ultrafast),
            _ => None,
        }
    }

    /// Returns how LiteLLM ends the names of this tier's prices.
    pub fn suffix(self) -> &'static str {
        match self {
            Tier::Standard => "",
            Tier::Flex => "_flex",
            Tier::Priority => "_priority",
            Tier::Ultrafast => "_ultrafast",
        }
    }
}
