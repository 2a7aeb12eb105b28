//! Places in which a value has to be a secret whatever it looks like: what stands before it, one row each. Names that are
//! assigned are read by `name`.

/// A place: the parts that are looked for first (in any case, `|` between them), the whole of what stands before the
/// value as a regular expression that starts there, and what the value has to be.
pub(super) struct Carrier {
    pub(super) kind: &'static str,
    pub(super) key: &'static str,
    pub(super) lead: &'static str,
    pub(super) stands: Stands,
}

/// What stands in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// A word of a command line, or what is between quotes; nothing but a stand-in is spared.
    Word,
    /// The same up to an `@`, behind which a host stands.
    Login,
    /// A run of the alphabets of tokens, of at least so many bytes, that looks random.
    Random(usize),
    /// Up to a blank or the closing quote, if a part of it looks random.
    Pairs,
    /// The rest of the line.
    Rest,
    /// As `Word`, but the expression goes on behind the value, which is its group.
    Group,
}

const fn carrier(kind: &'static str, key: &'static str, lead: &'static str, stands: Stands) -> Carrier {
    Carrier { kind, key, lead, stands }
}

use Stands::{Group, Login, Pairs, Random, Rest, Word};

#[rustfmt::skip]
pub(super) const CARRIERS: &[Carrier] = &[
    carrier("password", "storepass", r"storepass(?:word)?[ =]+", Word),
    carrier("password", "keypass", r"keypass(?:word)?[ =]+", Word),
    carrier("password", "-passin", r"-passin pass:", Word),
    carrier("password", "-passout", r"-passout pass:", Word),
    carrier("password", "sqlcmd", r"sqlcmd [^\n|;]{0,160}-P ?", Word),
    carrier("password", "ldapsearch", r"ldapsearch [^\n|;]{0,200}-w ?", Word),
    carrier("password", "ldapmodify", r"ldapmodify [^\n|;]{0,200}-w ?", Word),
    carrier("password", "smbclient", r"smbclient [^\n|;]{0,120}-U [\w.\\-]+%", Word),
    carrier("password", "unzip", r"unzip [^\n|;]{0,80}-P ", Word),
    carrier("password", "7z |7za ", r"7za? [^\n|;]{0,80}-p", Word),
    carrier("password", "mongo", r"mongo(?:sh|dump|restore|export|import)? [^\n|;]{0,160}-p ", Word),
    carrier("password", "htpasswd", r"htpasswd -\w*b\w* \S+ \S+ ", Word),
    carrier("password", "net user", r"net user [\w.-]+ ", Word),
    carrier("password", "password '", r"password \x27", Word),
    carrier("password", "lpass", r"lpass login [^\n]{0,60}--password[ =]", Word),
    carrier("password", "az login", r"az login [^\n|;]{0,160}(?:-p|--password) ", Word),
    carrier("password", "helm registry", r"helm registry login [^\n|;]{0,160}(?:-p|--password) ", Word),
    carrier("password", "podman login", r"(?:podman) login [^\n|;]{0,160}-p ", Word),
    carrier("password", "buildah login", r"buildah login [^\n|;]{0,160}-p ", Word),
    carrier("password", "skopeo", r"skopeo [^\n|;]{0,160}--(?:src-|dest-)?creds[ =][\w.-]+:", Word),
    carrier("password", "convertto-securestring", r"convertto-securestring (?:-string )?[\x27\x22]", Word),
    carrier("token", "vault login", r"vault login (?:-\S+ )*(?:token=)?", Random(16)),
    carrier("token", "npm config set", r"npm config set \S*_authtoken[ =]", Random(16)),
    carrier("aws-secret-key", "configure set", r"configure set aws_secret_access_key ", Random(16)),
    carrier("aws-session-token", "configure set", r"configure set aws_session_token ", Random(16)),
    carrier("secret", "secret set", r"secret set \w+ (?:--body|-b)[ =]", Word),
    carrier("secret", "secrets set", r"secrets set \w+[ =]", Word),
    carrier("secret", "--secret-string", r"--secret-string[ =]", Word),
    carrier("secret", "secretstring", r"secretstring\x22?\s{0,4}[:=]\s{0,4}", Word),
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
    carrier("api-key", "?key=", r"\?key=", Random(20)),
    carrier("api-key", "&key=", r"&key=", Random(20)),
    carrier("wireguard", "privatekey", r"privatekey\s{0,4}=\s{0,4}", Random(40)),
    carrier("wireguard", "presharedkey", r"presharedkey\s{0,4}=\s{0,4}", Random(40)),
    carrier("password", "sqlplus", r"sqlplus(?: -\w+)* \w+/", Login),
    carrier("password", "jdbc:oracle", r"jdbc:oracle:\w+:[\w.-]+/", Login),
    carrier("password", "mysql|mariadb", r"(?:mysql|mariadb)(?:dump|admin|show|import|check|slap)?(?:\.exe)? (?:[^\n|;]{0,240} )?-p", Word),
    carrier("password", "sshpass", r"sshpass (?:-\w+ )*-p ?", Word),
    carrier("password", "redis-cli|redis6-cli|valkey-cli", r"(?:redis6?|valkey)-cli [^\n|;]{0,240}?-a ", Word),
    carrier("password", "docker login|podman login|nerdctl login|buildah login|crane auth login", r"[\w ]+login [^\n|;]{0,240}-p ", Word),
    carrier("password", "curl|wget|https |http |xh |aria2c|lynx ", r"(?:curl|wget|https?|xh|aria2c|lynx) (?:[^\n|;]{0,400} )?(?:-u|--user|-U|--proxy-user|-a|--auth)[ =]?[\x27\x22]?[\w.@+-]{1,64}:", Word),
    carrier("cookie", "curl|wget", r"(?:curl|wget) (?:[^\n|;]{0,400} )?(?:-b|--cookie)[ =]", Pairs),
    carrier("password", "create user|create role|alter user|create login|grant ", r"(?:(?:create|alter)\s+(?:user|role|login)|grant\s+(?:all|select|usage|connect|create))\s[^;]{0,300}?\sidentified\s+(?:with\s+\S+\s+)?(?:by|as|using)\s+(?:password\s+|values\s+)?[\x27\x22]?", Word),
    carrier("password", ":5432:|:3306:|:6432:|:5433:|:*:", r":(?:\d+|\*):[\w*.-]+:[a-z_][\w.@-]*:", Rest),
    carrier("password", "requirepass|masterauth|sentinel auth-pass", r"(?:requirepass|masterauth|sentinel auth-pass \S+)[ =:]+", Word),
    carrier("password", "xfreerdp|wfreerdp|rdesktop", r"(?:[xw]freerdp|rdesktop) [^\n|;]{0,240}(?:/p:|-p )", Word),
    carrier("password", "psexec|evil-winrm|crackmapexec|netexec|rpcclient|snmpwalk", r"[\w-]+(?:\.exe)? [^\n|;]{0,240} -(?:p|A) ", Word),
    carrier("password", "gpg ", r"gpg2? [^\n|;]{0,200}--passphrase[ =]", Word),
    carrier("password", "openssl", r"openssl [^\n|;]{0,300} -(?:k|passwd) ", Word),
    carrier("password", "pass:", r"-(?:pass|passin|passout) pass:", Word),
    carrier("password", "chpasswd|passwd", r"(?:chpasswd|passwd)[^\n]{0,4}<<< ?[\x27\x22]?[\w.-]+:", Word),
    carrier("password", "mount", r"mount [^\n|;]{0,240}(?:password|pass)=", Word),
    carrier("password", "ipmitool", r"ipmitool [^\n|;]{0,160}-P ", Word),
    carrier("password", "cqlsh|clickhouse-client|influx |mongosh|cbq|cypher-shell|neo4j-admin", r"[\w-]+ [^\n|;]{0,240} -p(?:assword)? ", Word),
    carrier("password", "snowsql|bcp |isql |tsql |osql ", r"\w+ [^\n|;]{0,240} -[pP] ?", Word),
    carrier("password", "sqlcmd", r"sqlcmd(?:\.exe)? [^\n|;]{0,240}-P ?", Word),
    carrier("password", "zip ", r"\bzip [^\n|;]{0,80}-P ", Word),
    carrier("password", "keytool|jarsigner|keypass|storepass", r"[\w-]+ (?:[^\n|;]{0,300} )?-(?:src|dest|new)?(?:store|key)pass(?:wd)?[ =]", Word),
    carrier("password", "signtool", r"signtool [^\n|;]{0,240}/p ", Word),
    carrier("password", "twine upload|poetry config|nuget ", r"(?:twine upload [^\n|;]{0,160}-p |poetry config http-basic\.\S+ \S+ |nuget [^\n|;]{0,200}-password )", Word),
    carrier("token", "poetry config pypi-token", r"poetry config pypi-token\.\S+ ", Random(16)),
    carrier("token", "composer config", r"composer config [^\n|;]{0,80}(?:github-oauth|gitlab-token|bearer|http-basic)\.\S+ (?:\S+ )?", Random(8)),
    carrier("token", "vault kv put|vault write", r"vault (?:kv put|write) [^\n|;]{0,160}(?:token|secret|key|secret_id)=", Random(8)),
    carrier("token", "gh auth token|print-access-token|print-identity-token|get-login-password|get-access-token --query accessToken", r"[^\n]{0,160}\r?\n", Random(30)),
    carrier("token", "configure set", r"configure set \S*(?:token|secret|key)\S* ", Random(16)),
    carrier("api-key", "heroku config:set|fly secrets set|flyctl secrets set|doppler secrets set", r"[\w :]+set \w*(?:key|token|secret|password|pass|pwd)\w*=", Word),
    carrier("token", "http.extraheader", r"http\.(?:\S+\.)?extraheader[= ]+[\x27\x22]?authorization: \w+ ", Random(16)),
    carrier("aws-secret-key", "AKIA|ASIA", r"(?-i:A[KS]IA)[A-Z0-9]{16}(?:[\t ]\d[\dT:+.Z-]{15,30})?[ ,:;/|\t\x22\x27]{1,4}", Random(40)),
    carrier("bearer", "access_token|id_token|refresh_token", r"(?:access|id|refresh)_token=", Random(16)),
    carrier("url-signature", "sig=", r"sig=", Random(30)),
    carrier("url-signature", "-signature=", r"-signature=", Random(40)),
    carrier("slack", "slack.com/services/|slack.com/workflows/|slack.com/triggers/", r"slack\.com/(?:services|workflows|triggers)/", Random(36)),
    carrier("discord", "webhooks/", r"webhooks/\d{15,20}/", Random(40)),
    carrier("password-hash", "aad3b435b51404ee", r"aad3b435b51404eeaad3b435b51404ee:", Random(32)),
    carrier("otp", "otpauth://", r"otpauth://[^\s\x22\x27]{1,200}[?&]secret=", Random(8)),
    carrier("url-token", "zoom.us/j/", r"zoom\.us/j/\d+\?pwd=", Word),
    carrier("password", "wpa_passphrase", r"wpa_passphrase \S+ ", Word),
    carrier("password", "psk=", r"\bpsk=", Word),
    carrier("password", "nmcli", r"nmcli [^\n|;]{0,160}password ", Word),
    carrier("password", "useradd|usermod", r"user(?:add|mod) [^\n|;]{0,160}(?:-p|--password) ", Word),
    carrier("password", "dsadd|net user|dsmod", r"ds(?:add|mod) [^\n|;]{0,160}-pwd ", Word),
    carrier("password", "set password", r"set password(?: for [^=\n]{1,80})? ?= ?(?:password\()?[\x27\x22]", Word),
    carrier("password", "with password|encrypted password|user password", r"(?:encrypted|with|user) password [\x27\x22]", Word),
    carrier("password", "pulumi config set", r"pulumi config set (?:--secret |--path )+\S+ ", Word),
    carrier("key", "unseal key", r"unseal key \d+: ", Random(20)),
    carrier("key", "mc alias set|mc config host add", r"mc (?:alias set|config host add) \S+ \S+ \S+ ", Word),
    carrier("password", "lftp", r"lftp [^\n|;]{0,120}-u [\w.@-]+,", Word),
    carrier("password", "net use", r"net use [^|;]{0,80}?/user:\S+ ", Word),
    carrier("password", "insecure-password", r"insecure-password ", Word),
    carrier("password", "echo |printf ", r"(?:echo|printf) (?:-\w+ )*[\x27\x22]?(?:[\w.-]+:)?([^\x27\x22\s|]{3,80})[\x27\x22]?\s*\|\s*(?:sudo )?(?:chpasswd|sudo -S|[\w-]+ [^\n|;]{0,200}(?:password-stdin|with-token))", Group),
    carrier("password", "insert into", r"insert into \S+ ?\([^()]{0,200}(?:password|passwd|pwd|secret|token)[\x60\x22]?\)\s*values\s*\([^()]{0,300}\x27([^\x27]{3,120})\x27\)", Group),
];
