//! Places in which a value has to be a secret whatever it looks like: what stands before it, one row each. Names that are
//! assigned are read by `name`.

/// A place: the part that is looked for first (in any case), the whole of what stands before the value as a regular
/// expression that starts there, and what the value has to be.
pub(super) struct Carrier {
    pub(super) kind: &'static str,
    pub(super) key: &'static str,
    pub(super) lead: &'static str,
    pub(super) value: Value,
}

/// What stands in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Up to a blank or the closing quote; nothing but a stand-in is spared.
    Word,
    /// A run of the alphabets of tokens, of at least so many bytes, that looks random.
    Random(usize),
    /// Up to the end of the line or the closing quote, if a part of it looks random.
    Pairs,
}

const fn carrier(kind: &'static str, key: &'static str, lead: &'static str, value: Value) -> Carrier {
    Carrier { kind, key, lead, value }
}

use Value::{Pairs, Random, Word};

#[rustfmt::skip]
pub(super) const CARRIERS: &[Carrier] = &[
    carrier("password", "storepass", r"storepass(?:word)?[ =]+", Word),
    carrier("password", "keypass", r"keypass(?:word)?[ =]+", Word),
    carrier("password", "-passin", r"-passin pass:", Word),
    carrier("password", "-passout", r"-passout pass:", Word),
    carrier("password", "sqlplus", r"sqlplus(?: -\w+)* \w+/", Word),
    carrier("password", "sqlcmd", r"sqlcmd [^\n|;]{0,160}-P ?", Word),
    carrier("password", "ldapsearch", r"ldapsearch [^\n|;]{0,200}-w ?", Word),
    carrier("password", "ldapmodify", r"ldapmodify [^\n|;]{0,200}-w ?", Word),
    carrier("password", "smbclient", r"smbclient [^\n|;]{0,120}-U [\w.\\-]+%", Word),
    carrier("password", "unzip", r"unzip [^\n|;]{0,80}-P ", Word),
    carrier("password", "7z", r"7za? [^\n|;]{0,80}-p", Word),
    carrier("password", "mongo", r"mongo(?:sh|dump|restore|export|import)? [^\n|;]{0,160}-p ", Word),
    carrier("password", "htpasswd", r"htpasswd -\w*b\w* \S+ \S+ ", Word),
    carrier("password", "net user", r"net user [\w.-]+ ", Word),
    carrier("password", "identified by", r"identified (?:with \w+ )?by (?:password )?[\x27\x22]", Word),
    carrier("password", "identified with", r"identified with [\w\x27]+ (?:by|as) [\x27\x22]", Word),
    carrier("password", "password '", r"password \x27", Word),
    carrier("password", "lpass", r"lpass login [^\n]{0,60}--password[ =]", Word),
    carrier("password", "az login", r"az login [^\n|;]{0,160}(?:-p|--password) ", Word),
    carrier("password", "helm registry", r"helm registry login [^\n|;]{0,160}(?:-p|--password) ", Word),
    carrier("password", "podman login", r"(?:podman) login [^\n|;]{0,160}-p ", Word),
    carrier("password", "buildah login", r"buildah login [^\n|;]{0,160}-p ", Word),
    carrier("password", "skopeo", r"skopeo [^\n|;]{0,160}--(?:src-|dest-)?creds[ =][\w.-]+:", Word),
    carrier("password", "convertto-securestring", r"convertto-securestring (?:-string )?[\x27\x22]", Word),
    carrier("password", ":5432:", r":5432:[\w*-]+:[\w.-]+:", Word),
    carrier("password", ":3306:", r":3306:[\w*-]+:[\w.-]+:", Word),
    carrier("password", ":*:*:", r":\*:\*:[\w.-]+:", Word),
    carrier("token", "vault login", r"vault login (?:-\S+ )*(?:token=)?", Random(16)),
    carrier("token", "npm config set", r"npm config set \S*_authtoken[ =]", Random(16)),
    carrier("aws-secret-key", "configure set", r"configure set aws_secret_access_key ", Random(16)),
    carrier("aws-session-token", "configure set", r"configure set aws_session_token ", Random(16)),
    carrier("password", "env ", r"env \w*(?:password|passwd|pwd|secret) ", Word),
    carrier("token", "setx", r"setx \w*(?:token|secret|key|password|passwd|pwd)\w* ", Word),
    carrier("token", "set -gx", r"set -gx \w*(?:token|secret|key|password|passwd|pwd)\w* ", Word),
    carrier("token", "set -ux", r"set -ux \w*(?:token|secret|key|password|passwd|pwd)\w* ", Word),
    carrier("secret", "secret set", r"secret set \w+ (?:--body|-b)[ =]", Word),
    carrier("secret", "secrets set", r"secrets set \w+[ =]", Word),
    carrier("secret", "--secret-string", r"--secret-string[ =]", Word),
    carrier("secret", "secretstring", r"secretstring\x22?\s{0,4}[:=]\s{0,4}", Word),
    carrier("cookie", "curl", r"curl [^\n|;]{0,200}(?:-b|--cookie)[ =]", Pairs),
    carrier("cookie", "\tfalse\t", r"\tFALSE\t\d+\t[^\t\n]+\t", Random(12)),
    carrier("cookie", "\ttrue\t", r"\tTRUE\t\d+\t[^\t\n]+\t", Random(12)),
    carrier("url-token", "hooks.zapier.com", r"hooks\.zapier\.com/hooks/catch/", Random(14)),
    carrier("teams", "webhook.office.com", r"webhook\.office\.com/webhookb2/", Random(40)),
    carrier("teams", "outlook.office.com", r"outlook\.office\.com/webhook/", Random(40)),
    carrier("teams", ".logic.azure.com", r"\.logic\.azure\.com[^\s\x22\x27]{0,200}sig=", Random(20)),
    carrier("url-token", "tines.com", r"tines\.com/webhook/", Random(30)),
    carrier("url-token", "hook.", r"hook\.(?:\w+\.)?make\.com/", Random(20)),
    carrier("url-token", "discord", r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{15,20}/", Random(40)),
    carrier("url-token", "api.telegram.org", r"api\.telegram\.org/bot\d+:", Random(30)),
    carrier("api-key", "api key", r"api key\x22?\x27?\s{0,4}(?:[:=|]|is)\s{0,4}[\x27\x22`]?", Random(16)),
    carrier("key", "access key", r"access key\x22?\s{0,4}(?:[:=|]|is)\s{0,4}[\x27\x22`]?", Random(16)),
    carrier("key", "secret key", r"secret key\x22?\s{0,4}(?:[:=|]|is)\s{0,4}[\x27\x22`]?", Random(16)),
    carrier("token", "token is", r"token is:? ?[\x27\x22`]?", Random(16)),
    carrier("api-key", "key is", r"key is:? ?[\x27\x22`]?", Random(20)),
    carrier("password", "password is", r"password is:? ?[\x27\x22`]?", Random(8)),
    carrier("api-key", "x-", r"x-[a-z0-9-]{0,40}(?:key|token|secret|auth|apikey)\x22?\x27?\s{0,4}[:=]\s{0,4}[\x27\x22`]?", Random(16)),
    carrier("bearer", "access_token", r"access_token(?:=|%3d)", Random(16)),
    carrier("api-key", "?key=", r"\?key=", Random(20)),
    carrier("api-key", "&key=", r"&key=", Random(20)),
    carrier("wireguard", "privatekey", r"privatekey\s{0,4}=\s{0,4}", Random(40)),
    carrier("wireguard", "presharedkey", r"presharedkey\s{0,4}=\s{0,4}", Random(40)),
];
