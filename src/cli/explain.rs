//! `explain`: what becomes of a message or a subscription, step by step, by the code that runs live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io::Write};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::config::{self, Config, Listener};
use crate::document::list_words;
use crate::mqtt::{Qos, topic};
use crate::session::{SessionLimits, SessionPlan};
use crate::translate::{
    ConnectRefusal, Explanation, FilterPlan, Incoming, Memory, Refusal, Scratch, SessionNames,
    Shown, Translator, Way, explain,
};

use super::arguments::PairArguments;
use super::{all_faults, explain_json, files};

/// The options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A configuration file, instead of --from and --to
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which listener of the file, if there are several
    #[arg(long, value_name = "NAME", requires = "config")]
    listener: Option<String>,
    /// Which upstream of the file, if there are several [default: the listener's, or where its routes lead --certificate]
    #[arg(long, value_name = "NAME", requires = "config")]
    upstream: Option<String>,
    #[command(flatten)]
    pair: PairArguments,
    /// Topic name; with --direction subscribe a topic filter
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// Payload: a text, @FILE, or hex:DIGITS
    #[arg(long, value_name = "PAYLOAD", default_value = "")]
    payload: String,
    /// up: the device publishes; down: the upstream delivers; subscribe: the device subscribes
    #[arg(long, value_enum, default_value_t = Direction::Up)]
    direction: Direction,
    /// QoS of the message
    #[arg(long, value_name = "0|1|2", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// The message has the RETAIN flag
    #[arg(long)]
    retain: bool,
    /// The device's client identifier; a wildcard stands for its own device
    #[arg(long, value_name = "ID", default_value = "")]
    client_id: String,
    /// The common name of the device's certificate, for dialects that read it; the session is then kept to what it says
    #[arg(long, value_name = "NAME")]
    certificate: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    Up,
    Down,
    Subscribe,
}

/// Where the translator comes from.
enum Pair {
    Own(Box<Translator>),
    Configured(Arc<SessionPlan>),
}

impl Pair {
    fn translator(&self) -> &Translator {
        match self {
            Pair::Own(translator) => translator,
            Pair::Configured(plan) => &plan.translator,
        }
    }

    /// Why a topic isn't even looked at: without a configuration, by the limits that nobody has changed.
    fn check_topic(&self, topic: &str) -> Result<(), Refusal> {
        match self {
            Pair::Own(_) => SessionLimits::default().check_topic(topic),
            Pair::Configured(plan) => plan.limits.check_topic(topic),
        }
    }
}

impl Explain {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let pair = self.pair()?;
        let translator = pair.translator();
        let way = match self.direction {
            Direction::Subscribe => return self.subscribe(&pair),
            Direction::Up => Way::Up,
            Direction::Down => Way::Down,
        };
        if !topic::is_valid_name(&self.topic) {
            bail!("--topic is no topic name: it is empty or has `+`, `#` or a NUL character");
        }
        let payload = read_payload(&self.payload)?;
        let qos = Qos::from_level(self.qos).unwrap_or(Qos::AtMostOnce);
        let message =
            Incoming { topic_name: &self.topic, payload: &payload, qos, retain: self.retain };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let received_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut memory = match self.certificate {
            Some(_) => self.own(translator)?.1,
            None => Memory::default(),
        };
        let scratch = &mut Scratch::at(received_ms, 1);
        let mut explanation = explain(translator, way, &message, &mut memory, scratch);
        if let Err(refusal) = pair.check_topic(&self.topic) {
            explanation.outcome = Err(refusal);
        }
        if self.json {
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(&explain_json::message(&explanation, &message))?
            )?;
            return Ok(());
        }
        print_message(&explanation, &message)
    }

    fn pair(&self) -> anyhow::Result<Pair> {
        let Some(path) = &self.config else {
            let arguments = self.pair.to_arguments();
            let read = &mut |lookup: config::Lookup<'_>| files::look_up(Path::new(""), lookup);
            let translator = config::pair_from_arguments(&arguments, read)
                .map_err(|faults| all_faults(&faults))?;
            return Ok(Pair::Own(Box::new(translator)));
        };
        let config = files::load(path)?;
        self.choose(&config).map(Pair::Configured)
    }

    fn choose(&self, config: &Config) -> anyhow::Result<Arc<SessionPlan>> {
        let is_named = |listener: &&Listener| {
            self.listener.as_ref().is_none_or(|wanted| *wanted == listener.name)
        };
        let fits: Vec<_> = config
            .listeners
            .iter()
            .filter(is_named)
            .filter_map(|listener| Some((&listener.name, self.plan_of(listener)?)))
            .collect();
        match fits.as_slice() {
            [(_, plan)] => Ok(plan.clone()),
            [] => {
                let names =
                    list_words(config.listeners.iter().map(|listener| listener.name.as_str()));
                bail!("no listener fits; the file has {names}")
            }
            several => {
                let names = list_words(several.iter().map(|(name, _)| name.as_str()));
                bail!("several listeners fit; write --listener with {names}")
            }
        }
    }

    /// The plan of a listener's session: that of the upstream that is asked for, else where its certificate leads.
    fn plan_of(&self, listener: &Listener) -> Option<Arc<SessionPlan>> {
        let routed = self.certificate.as_deref().and_then(|name| listener.route(name));
        let Some(wanted) = &self.upstream else {
            return Some(routed.map_or(&listener.plan, |route| &route.plan).clone());
        };
        let own = (&listener.upstream.name, &listener.plan);
        let routes = listener.routes.iter().map(|route| (&route.upstream.name, &route.plan));
        let mut all = [own].into_iter().chain(routes);
        all.find(|(name, _)| *name == wanted).map(|(_, plan)| plan.clone())
    }

    /// The session's own names, and what it is kept to.
    fn own(&self, translator: &Translator) -> anyhow::Result<(SessionNames, Memory)> {
        let client_identifier = &self.client_id;
        let certificate = self.certificate.as_deref();
        let shown = Shown { client_identifier, certificate, ..Shown::default() };
        let mut memory = Memory::default();
        let plan = match translator.connect(&shown) {
            Ok(plan) => plan,
            Err(ConnectRefusal::Certificate(refusal)) => {
                bail!("--certificate would be refused: {refusal}")
            }
            Err(refused) => bail!("--client-id would be refused: {}", refused.refusal()),
        };
        let Some(plan) = plan else { return Ok((SessionNames::default(), memory)) };
        if certificate.is_some() {
            memory.keep_to(&plan);
        }
        Ok((plan.names, memory))
    }

    fn subscribe(&self, pair: &Pair) -> anyhow::Result<()> {
        if !topic::is_valid_filter(&self.topic) {
            bail!(
                "--topic is no topic filter: it is empty, or has `+` or `#` in a place where they can't stand"
            );
        }
        let translator = pair.translator();
        let (names, memory) = self.own(translator)?;
        let filter = || translator.filter_within(&self.topic, &names, &memory);
        let outcome = pair.check_topic(&self.topic).and_then(|()| filter());
        if self.json {
            writeln!(
                std::io::stdout(),
                "{}",
                serde_json::to_string_pretty(&explain_json::filter(&self.topic, &names, &outcome))?
            )?;
            return Ok(());
        }
        print_filter(&self.topic, &names, &outcome)
    }
}

/// A text, `@FILE` or `hex:DIGITS`.
fn read_payload(text: &str) -> anyhow::Result<Vec<u8>> {
    if let Some(path) = text.strip_prefix('@') {
        return fs::read(path).with_context(|| format!("the payload's file {path} can't be read"));
    }
    let Some(digits) = text.strip_prefix("hex:") else { return Ok(text.as_bytes().to_vec()) };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.context("hex: takes an even number of hexadecimal digits, as in hex:7b7d")
}

fn byte(pair: &[u8]) -> Option<u8> {
    match std::str::from_utf8(pair) {
        Ok(digits)
            if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) =>
        {
            u8::from_str_radix(digits, 16).ok()
        }
        _ => None,
    }
}

/// Bytes as text where they are text.
pub(super) fn shown(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => {
            let digits: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("hex:{digits}")
        }
    }
}

fn print_message(explanation: &Explanation, message: &Incoming<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let (qos, retain) = (message.qos.level(), u8::from(message.retain));
    writeln!(out, "in       {} topic {}", explanation.from, message.topic_name)?;
    writeln!(out, "         payload {} (QoS {qos}, retain {retain})", shown(message.payload))?;
    match &explanation.form {
        Some(form) => {
            writeln!(
                out,
                "matched  {}   {}, shape {}, line {} of its table",
                form.template, form.kind, form.shape, form.line
            )?;
        }
        None if explanation.from == "plain" => {
            writeln!(out, "matched  everything; plain changes nothing")?
        }
        None => writeln!(out, "matched  nothing")?,
    }
    for (name, text) in &explanation.captures {
        writeln!(out, "         {name} = {text}")?;
    }
    if let Some(form) = &explanation.form {
        let address: Vec<String> =
            explanation.address.iter().map(|(part, text)| format!("{part} {text}")).collect();
        writeln!(out, "neutral  {}: {}", form.kind, address.join(", "))?;
    }
    if let Some(target) = &explanation.target {
        writeln!(
            out,
            "as       {}   shape {}, line {} of its table",
            target.template, target.shape, target.line
        )?;
    }
    match &explanation.outcome {
        Err(refusal) => writeln!(out, "refused  {}: {}", refusal.reason, refusal.detail)?,
        Ok(messages) if messages.is_empty() => writeln!(out, "out      nothing has to be sent")?,
        Ok(messages) => {
            for sent in messages {
                let (qos, retain) = (sent.qos.level(), u8::from(sent.retain));
                let untouched = if sent.payload_untouched { ", bytes untouched" } else { "" };
                writeln!(out, "out      {} topic {}", explanation.to, sent.topic_name)?;
                writeln!(
                    out,
                    "         payload {} (QoS {qos}, retain {retain}{untouched})",
                    shown(&sent.payload)
                )?;
            }
        }
    }
    for note in &explanation.notes {
        writeln!(out, "note     {}", note.label())?;
    }
    Ok(())
}

fn print_filter(
    filter: &str,
    names: &SessionNames,
    outcome: &Result<FilterPlan, Refusal>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "in       filter {filter}")?;
    if let (Some(device), Some(upstream)) = (&names.device, &names.upstream_device) {
        writeln!(out, "own      device {device}, upstream {upstream}")?;
    }
    match outcome {
        Ok(plan) if plan.upstream.is_empty() => writeln!(out, "out      {plan}")?,
        Ok(plan) => {
            for filter in &plan.upstream {
                writeln!(out, "out      filter {filter}")?;
            }
        }
        Err(refusal) => writeln!(out, "refused  {}: {}", refusal.reason, refusal.detail)?,
    }
    Ok(())
}
