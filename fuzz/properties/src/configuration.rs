//! Configurations of any text: refused whole and with words, or the same again. What stands in files and variables is not
//! told.

use interlingua::config::{Config, Lookup, load};
use interlingua::document::Fault;

/// What the environment and files of values hold.
const SECRET: &str = "hunter2-hunter2";

/// Text that isn't UTF-8 isn't read.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let first = read(text);
    let told = match &first {
        Ok(config) => format!("{config:?}"),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a word");
            faults.iter().map(|fault| format!("{fault}\n{fault:?}\n")).collect()
        }
    };
    assert!(text.contains("hunter2") || !told.contains("hunter2"), "{told}");
    if first.is_ok() {
        assert_eq!(read(text).map(|config| format!("{config:?}")), Ok(told));
    }
}

fn read(text: &str) -> Result<Config, Vec<Fault>> {
    load("fuzz.toml", text, &mut outside)
}

/// Files by their ending.
fn outside(lookup: Lookup<'_>) -> Result<String, String> {
    match lookup {
        Lookup::Environment("EMPTY") => Ok(String::new()),
        Lookup::Environment("UNSET") => Err("it is not set".to_owned()),
        Lookup::Environment(_) => Ok(SECRET.to_owned()),
        Lookup::File(path) => match path.rsplit_once('.') {
            Some((_, "csv")) => Ok("device,upstream,registry\na,b,c\nd,e,f\n".to_owned()),
            Some((_, "toml")) => Ok(OWN_TABLE.to_owned()),
            Some((_, "pem" | "key")) => Ok(PEM.to_owned()),
            Some((_, "users")) => Ok(USERS.to_owned()),
            Some((_, "slash")) => Ok(format!("{SECRET}/+")),
            Some((_, "none")) => Err("no such file".to_owned()),
            _ => Ok(format!("{SECRET}\n")),
        },
    }
}

const OWN_TABLE: &str = "name = \"own\"\nmqtt = [\"3.1.1\"]\nsecrets = [\"key\"]\n[variables]\n\
    device = { part = \"device\" }\n[[topic]]\nkind = \"telemetry\"\nfrom = \"device\"\n\
    template = \"{key}/{device}/up\"\nshape = \"json\"\n[[topic]]\nkind = \"command\"\nfrom = \"cloud\"\n\
    template = \"{key}/{device}/down\"\nshape = \"json\"\n";

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n\
    -----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";

const USERS: &str = "dev7:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0\
    $aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g\n";
