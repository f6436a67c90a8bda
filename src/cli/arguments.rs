//! The options that describe a pair of dialects without a configuration file.

use clap::Args;

use crate::config::Arguments;

/// A pair of dialects. Values may be secrets, so this type isn't shown with `Debug`.
#[derive(Args, Clone)]
pub(crate) struct PairArguments {
    /// The devices' dialect: a name of `interlingua dialects`, or a path to a table
    #[arg(
        long,
        value_name = "DIALECT",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    pub(crate) from: Option<String>,
    /// The upstream's dialect
    #[arg(
        long,
        value_name = "DIALECT",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    pub(crate) to: Option<String>,
    /// Give a variable its value, on the side whose dialect has it (repeat as needed)
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "config")]
    pub(crate) set: Vec<String>,
    /// The same for the devices' dialect, where both have the variable
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "config")]
    pub(crate) from_set: Vec<String>,
    /// The same for the upstream's dialect
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "config")]
    pub(crate) to_set: Vec<String>,
    /// Upstream device name = this prefix + percent-encoded device name
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["config", "identity_table"])]
    pub(crate) identity_prefix: Option<String>,
    /// CSV file that pairs device names: `device,upstream`
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub(crate) identity_table: Option<String>,
    /// Switch on an option of a dialect (repeat as needed)
    #[arg(long = "option", value_name = "NAME", conflicts_with = "config")]
    pub(crate) options: Vec<String>,
    /// The same for the devices' dialect, where both have the option
    #[arg(long = "from-option", value_name = "NAME", conflicts_with = "config")]
    pub(crate) from_options: Vec<String>,
    /// The same for the upstream's dialect
    #[arg(long = "to-option", value_name = "NAME", conflicts_with = "config")]
    pub(crate) to_options: Vec<String>,
    /// How payloads are rewritten, with the keys of [listener.payload] (repeat as needed)
    #[arg(long = "payload-option", value_name = "NAME=VALUE", conflicts_with = "config")]
    pub(crate) payload_options: Vec<String>,
}

impl std::fmt::Debug for PairArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairArguments")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl PairArguments {
    /// As the room `config` takes them.
    pub(crate) fn to_arguments(&self) -> Arguments {
        let given = self.clone();
        Arguments {
            from: given.from.unwrap_or_default(),
            to: given.to.unwrap_or_default(),
            set: given.set,
            from_set: given.from_set,
            to_set: given.to_set,
            identity_prefix: given.identity_prefix,
            identity_table: given.identity_table,
            options: given.options,
            from_options: given.from_options,
            to_options: given.to_options,
            payload: given.payload_options,
            ..Arguments::default()
        }
    }
}
