//! The known forms of issued tokens: a fixed prefix, an alphabet and a length. Written from the vendors' own
//! documentation; the gitleaks rule set served as a check for forms that were missed.

/// The alphabet of a token's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Hex,
    /// `A-Z 0-9`
    Upper,
    /// `A-Z a-z 0-9`
    Alnum,
    /// Alnum and `_`
    Word,
    /// Word and `-`
    Url,
    /// Url and `.`
    Dot,
    /// Alnum and `+ / =`
    Base64,
    /// Dot and `+ / = % ~`
    Any,
}

impl Class {
    pub(super) const fn has(self, b: u8) -> bool {
        match self {
            Class::Hex => b.is_ascii_hexdigit(),
            Class::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Class::Alnum => b.is_ascii_alphanumeric(),
            Class::Word => b.is_ascii_alphanumeric() || b == b'_',
            Class::Url => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
            Class::Dot => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
            Class::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
            Class::Any => {
                b.is_ascii_alphanumeric()
                    || matches!(b, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'%' | b'~')
            }
        }
    }
}

/// One known form. `max` 0 means that the token runs on for as long as its alphabet does; otherwise the body has
/// at most `max` bytes and a byte of the alphabet after it means that this is something else.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) kind: &'static str,
    pub(super) prefix: &'static str,
    pub(super) class: Class,
    pub(super) min: usize,
    pub(super) max: usize,
}

const fn open(kind: &'static str, prefix: &'static str, class: Class, min: usize) -> Rule {
    Rule { kind, prefix, class, min, max: 0 }
}

const fn exact(kind: &'static str, prefix: &'static str, class: Class, len: usize) -> Rule {
    Rule { kind, prefix, class, min: len, max: len }
}

use Class::{Alnum, Any, Base64, Dot, Hex, Upper, Url, Word};

/// Grouped by the first letter in any case, the more specific prefix first: the first that fits names the kind.
pub(super) const RULES: &[Rule] = &[
    open("google-refresh-token", "1//0", Url, 40),
    open("1password", "A3-", Url, 30),
    exact("aws-access-key-id", "A3T", Upper, 17),
    exact("aws-access-key-id", "ABIA", Upper, 16),
    open("aws-bedrock-key", "ABSK", Base64, 100),
    exact("aws-access-key-id", "ACCA", Upper, 16),
    open("age", "AGE-SECRET-KEY-1", Upper, 50),
    exact("gcp-api-key", "AIza", Url, 35),
    exact("aws-access-key-id", "AKIA", Upper, 16),
    exact("artifactory", "AKCp", Alnum, 69),
    open("gcp-api-key", "AQ.Ab", Url, 40),
    exact("aws-access-key-id", "ASIA", Upper, 16),
    open("atlassian", "ATATT3", Any, 60),
    open("atlassian", "ATCTT3", Any, 60),
    exact("bitbucket", "ATBB", Alnum, 32),
    exact("trello", "ATTA", Alnum, 72),
    open("plaid", "access-production-", Url, 36),
    open("plaid", "access-sandbox-", Url, 36),
    open("arize", "ak-", Url, 40),
    open("huggingface", "api_org_", Alnum, 30),
    open("apify", "apify_api_", Alnum, 30),
    open("buildkite", "bkua_", Alnum, 36),
    open("circleci", "CCIPAT_", Word, 50),
    open("contentful", "CFPAT-", Url, 40),
    open("cloudflare", "cfat_", Url, 38),
    open("cloudflare", "cfk_", Url, 38),
    open("cloudflare", "cfut_", Url, 38),
    exact("crates-io", "cio", Alnum, 32),
    exact("artifactory", "cmVmd", Alnum, 59),
    open("databricks", "dapi", Hex, 32),
    open("docker-hub", "dckr_oat_", Url, 27),
    open("docker-hub", "dckr_pat_", Url, 27),
    open("digitalocean", "doo_v1_", Hex, 64),
    open("digitalocean", "dop_v1_", Hex, 64),
    open("digitalocean", "dor_v1_", Hex, 64),
    open("databricks", "dose", Hex, 32),
    open("doppler", "dp.audit.", Dot, 36),
    open("doppler", "dp.ct.", Dot, 36),
    open("doppler", "dp.pt.", Dot, 36),
    open("doppler", "dp.sa.", Dot, 36),
    open("doppler", "dp.said.", Dot, 36),
    open("doppler", "dp.scim.", Dot, 36),
    open("doppler", "dp.st.", Dot, 36),
    open("dynatrace", "dt0c01.", Dot, 80),
    open("duffel", "duffel_live_", Url, 40),
    open("duffel", "duffel_test_", Url, 40),
    exact("easypost", "EZAK", Alnum, 54),
    exact("easypost", "EZTK", Alnum, 54),
    exact("e2b", "e2b_", Hex, 40),
    open("aws-session-token", "FwoGZXIvYXdz", Base64, 60),
    open("figma", "figd_", Url, 36),
    open("frame-io", "fio-u-", Url, 60),
    open("fly-io", "fm1a_", Base64, 100),
    open("fly-io", "fm1r_", Base64, 100),
    open("fly-io", "fm2_", Base64, 100),
    open("fly-io", "fo1_", Url, 43),
    open("google-client-secret", "GOCSPX-", Url, 28),
    open("gitlab", "GR1348941", Url, 20),
    open("github", "ghp_", Word, 36),
    open("github", "gho_", Word, 36),
    open("github", "ghu_", Word, 36),
    open("github", "ghs_", Dot, 36),
    open("github", "ghr_", Word, 36),
    open("github", "github_pat_", Word, 60),
    open("gitlab", "glagent-", Dot, 20),
    open("grafana", "glc_", Base64, 32),
    open("gitlab", "glcbt-", Dot, 18),
    open("gitlab", "gldt-", Dot, 18),
    open("gitlab", "glffct-", Dot, 18),
    open("gitlab", "glft-", Dot, 18),
    open("gitlab", "glimt-", Dot, 18),
    open("gitlab", "gloas-", Dot, 20),
    open("gitlab", "glpat-", Dot, 18),
    open("gitlab", "glptt-", Dot, 20),
    open("gitlab", "glrt-", Dot, 18),
    open("gitlab", "glrtr-", Dot, 18),
    open("grafana", "glsa_", Word, 40),
    open("gitlab", "glsoat-", Dot, 18),
    open("gitlab", "glwt-", Dot, 18),
    open("groq", "gsk_", Alnum, 40),
    open("heroku", "HRKU-", Url, 36),
    open("huggingface", "hf_", Alnum, 30),
    open("vault", "hvb.", Url, 24),
    open("vault", "hvr.", Url, 24),
    open("vault", "hvs.", Url, 24),
    open("aws-session-token", "IQoJb3JpZ2lu", Base64, 60),
    exact("mailgun", "key-", Hex, 32),
    open("linear", "lin_api_", Alnum, 30),
    open("linear", "lin_oauth_", Alnum, 30),
    open("langsmith", "ls__", Alnum, 30),
    open("langsmith", "lsv2_pt_", Word, 36),
    open("langsmith", "lsv2_sk_", Word, 36),
    exact("new-relic", "NRAK-", Alnum, 27),
    open("new-relic", "NRII-", Url, 30),
    open("netlify", "nfp_", Alnum, 34),
    open("npm", "npm_", Alnum, 36),
    open("notion", "ntn_", Alnum, 40),
    open("nvidia", "nvapi-", Url, 60),
    open("1password", "ops_eyJ", Any, 200),
    exact("nuget", "oy2", Alnum, 43),
    open("postman", "PMAK-", Url, 58),
    open("hubspot", "pat-eu1-", Url, 36),
    open("hubspot", "pat-na1-", Url, 36),
    open("hubspot", "pat-na2-", Url, 36),
    open("pinecone", "pcsk_", Word, 50),
    open("posthog", "phx_", Alnum, 40),
    open("langfuse", "pk-lf-", Url, 36),
    open("prefect", "pnu_", Alnum, 36),
    open("perplexity", "pplx-", Alnum, 40),
    open("planetscale", "pscale_oauth_", Dot, 32),
    open("planetscale", "pscale_pw_", Dot, 32),
    open("planetscale", "pscale_tkn_", Dot, 32),
    exact("pulumi", "pul-", Hex, 40),
    open("pypi", "pypi-", Url, 60),
    open("replicate", "r8_", Alnum, 36),
    open("readme", "rdme_", Alnum, 60),
    open("stripe", "rk_live_", Alnum, 16),
    open("stripe", "rk_test_", Alnum, 16),
    open("render", "rnd_", Alnum, 26),
    open("runpod", "rpa_", Alnum, 36),
    exact("rubygems", "rubygems_", Hex, 48),
    open("sendgrid", "SG.", Dot, 60),
    open("supabase", "sb_secret_", Url, 20),
    open("supabase", "sbp_", Hex, 40),
    exact("notion", "secret_", Alnum, 43),
    open("openai", "sess-", Alnum, 40),
    open("sourcegraph", "sgp_", Word, 40),
    exact("openshift", "sha256~", Url, 43),
    open("shippo", "shippo_live_", Hex, 40),
    open("shippo", "shippo_test_", Hex, 40),
    exact("shopify", "shpat_", Hex, 32),
    exact("shopify", "shpca_", Hex, 32),
    exact("shopify", "shppa_", Hex, 32),
    exact("shopify", "shpss_", Hex, 32),
    open("openai", "sk-None-", Url, 20),
    open("openai", "sk-admin-", Url, 20),
    open("anthropic", "sk-ant-", Url, 20),
    open("langfuse", "sk-lf-", Url, 36),
    open("openrouter", "sk-or-", Url, 32),
    open("openai", "sk-proj-", Url, 20),
    open("openai", "sk-svcacct-", Url, 20),
    open("openai", "sk-", Alnum, 20),
    open("mapbox", "sk.eyJ", Dot, 60),
    open("stripe", "sk_live_", Alnum, 16),
    open("stripe", "sk_prod_", Alnum, 16),
    open("stripe", "sk_test_", Alnum, 16),
    exact("elevenlabs", "sk_", Hex, 48),
    open("sentry", "sntrya_", Any, 40),
    open("sentry", "sntrys_", Any, 60),
    open("sentry", "sntryu_", Hex, 64),
    open("square", "sq0atp-", Url, 22),
    open("square", "sq0csp-", Url, 40),
    exact("sonar", "sqa_", Hex, 40),
    exact("sonar", "sqp_", Hex, 40),
    exact("sonar", "squ_", Hex, 40),
    open("typeform", "tfp_", Url, 50),
    open("scalingo", "tk-us-", Url, 48),
    open("tailscale", "tskey-", Url, 20),
    open("tavily", "tvly-", Url, 24),
    open("cloudflare", "v1.0-", Url, 150),
    open("stripe", "whsec_", Base64, 24),
    open("xai", "xai-", Alnum, 60),
    open("slack", "xapp-", Url, 20),
    open("brevo", "xkeysib-", Url, 70),
    open("slack", "xoxa-", Url, 16),
    open("slack", "xoxb-", Url, 20),
    open("slack", "xoxc-", Url, 20),
    open("slack", "xoxd-", Any, 20),
    open("slack", "xoxe-", Url, 20),
    open("slack", "xoxe.", Dot, 40),
    open("slack", "xoxo-", Url, 16),
    open("slack", "xoxp-", Url, 20),
    open("slack", "xoxr-", Url, 16),
    open("slack", "xoxs-", Url, 16),
    open("slack", "xwfp-", Url, 20),
    open("google-access-token", "ya29.", Dot, 20),
];

/// A mark in the middle of a key of otherwise formless text: the alphabet around it, the least number of bytes
/// before the mark and the least length of the whole.
pub(super) struct Inner {
    pub(super) kind: &'static str,
    pub(super) mark: &'static str,
    pub(super) class: Class,
    pub(super) before: usize,
    pub(super) total: usize,
}

pub(super) const INNER: &[Inner] = &[
    Inner { kind: "openai", mark: "T3BlbkFJ", class: Url, before: 20, total: 48 },
    Inner { kind: "azure-devops", mark: "AZDO", class: Alnum, before: 76, total: 84 },
    Inner { kind: "azure", mark: "JQQJ99", class: Alnum, before: 20, total: 80 },
    Inner { kind: "terraform", mark: ".atlasv1.", class: Dot, before: 14, total: 70 },
];

/// Tells whether the prefix of a token stands at `at`.
pub(super) fn begins(t: &[u8], at: usize) -> bool {
    t[at..].starts_with(b"eyJ") || candidates(t, at).any(|r| t[at..].starts_with(r.prefix.as_bytes()))
}

pub(super) fn candidates(t: &[u8], at: usize) -> impl Iterator<Item = &'static Rule> {
    let first = t.get(at).map_or(0, u8::to_ascii_lowercase);
    let (from, to) = if first.is_ascii() { BY_LETTER[first as usize] } else { (0, 0) };
    RULES[from as usize..to as usize].iter()
}

static BY_LETTER: [(u8, u8); 128] = {
    let mut ranges = [(0, 0); 128];
    let mut i = 0;
    while i < RULES.len() {
        let letter = RULES[i].prefix.as_bytes()[0].to_ascii_lowercase() as usize;
        if ranges[letter].1 == 0 {
            ranges[letter].0 = i as u8;
        }
        assert!(
            ranges[letter].1 == 0 || ranges[letter].1 == i as u8,
            "rules are grouped by their first letter"
        );
        ranges[letter].1 = i as u8 + 1;
        i += 1;
    }
    ranges
};
