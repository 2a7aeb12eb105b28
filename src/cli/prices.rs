//! `arize-codex prices`: the price table in force, what it lacks, and prices of the user's own.

use anyhow::{Context as _, bail};
use argh::{ArgsInfo, FromArgs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::view::records::{Form, Records};
use super::view::terminal::{Style, Terminal};
use super::view::text::{grouped, pad, pad_left, width};
use super::{exit, usage};
use crate::context::Context;
use crate::delivery::history;
use crate::file;
use crate::otel::prices::table::Rates;
use crate::otel::prices::tier::Tier;
use crate::otel::prices::{Bill, Money, Prices, book};
use crate::otel::token_use::TokenUse;
use crate::settings::Settings;
use crate::time::Timestamp;

/// Show the price table, find models without a price, or set your own prices. All prices are USD per million tokens.
#[derive(ArgsInfo, FromArgs, Debug)]
#[argh(subcommand, name = "prices")]
pub struct PricesArgs {
    /// list (default), check, update FILE (a price table in LiteLLM's format; "-" for standard input) or set MODEL
    #[argh(positional)]
    words: Vec<String>,
    /// with set: copy the prices of this model
    #[argh(option, arg_name = "model")]
    like: Option<String>,
    /// with set: price of input tokens
    #[argh(option, arg_name = "usd")]
    input: Option<f64>,
    /// with set: price of cached input tokens (default: the price of input tokens)
    #[argh(option, arg_name = "usd")]
    cached: Option<f64>,
    /// with set: price of tokens written to the cache (default: the price of input tokens)
    #[argh(option, arg_name = "usd")]
    cache_write: Option<f64>,
    /// with set: price of output tokens
    #[argh(option, arg_name = "usd")]
    output: Option<f64>,
}

/// Does what is asked for.
///
/// # Errors
/// When a price file is broken or cannot be read or written, or the history cannot be read.
pub fn run(args: &PricesArgs, form: Form, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let settings = Settings::load(context)?;
    let users_file = settings.profile.prices.as_deref();
    let load = || Prices::load(context.paths(), users_file);
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["list"] => list(&load(), form, context, out),
        ["check"] => check(&load(), &settings, context, out),
        ["update", path] => update(path, context, out),
        ["set", model] => set(args, model, users_file, context, out),
        ["update", ..] => Err(usage("prices update takes one file; \"-\" reads standard input")),
        ["set", ..] => Err(usage("prices set takes one model")),
        _ => Err(usage("prices takes list, check, update FILE or set MODEL")),
    }
}

/// One price of a model.
struct Price<'a> {
    model: &'a str,
    tier: Tier,
    long: bool,
    rates: Rates,
    source: String,
}

/// The prices in force now; a model's tiers and its step each on their own.
fn in_force(prices: &Prices) -> Vec<Price<'_>> {
    let now = crate::time::now();
    let mut models: BTreeMap<&str, ()> = BTreeMap::new();
    models.extend(prices.layers().iter().flat_map(|layer| layer.table.models()).map(|model| (model, ())));
    let mut all = Vec::new();
    for model in models.into_keys() {
        for (tier, long) in Tier::ALL.into_iter().flat_map(|tier| [(tier, false), (tier, true)]) {
            let found = |long| prices.rates(model, tier, long, now);
            let Some((rates, layer)) = found(long) else { continue };
            // A step that changes nothing is none.
            if !long || found(false).is_some_and(|(short, _)| short != rates) {
                all.push(Price { model, tier, long, rates, source: layer.name().to_owned() });
            }
        }
    }
    all
}

fn list(prices: &Prices, form: Form, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let all = in_force(prices);
    if form != Form::Text {
        records(&all).write(form, out)?;
        return Ok(exit::DONE);
    }
    let terminal = Terminal::of(context);
    terminal.page(context, &table(prices, &all, terminal), out)?;
    warn(prices);
    Ok(exit::DONE)
}

fn records(all: &[Price]) -> Records {
    let million = |money: Money| Value::from(money.times(1_000_000).usd());
    let row = |p: &Price| {
        let Rates { input, cached, written, output } = p.rates;
        let mut row: Vec<Value> = vec![p.model.into(), tier_name(p.tier).into(), p.long.into()];
        row.extend([input, cached, written, output].map(million));
        row.push(p.source.as_str().into());
        row
    };
    Records {
        fields: vec![
            "model",
            "tier",
            "above_272k",
            "input_usd",
            "cached_usd",
            "cache_write_usd",
            "output_usd",
            "source",
        ],
        rows: all.iter().map(row).collect(),
    }
}

fn table(prices: &Prices, all: &[Price], terminal: Terminal) -> String {
    let mut out = String::from("USD per million tokens\n");
    for layer in prices.layers() {
        let place = layer.path.as_ref().map_or("built in".to_owned(), |path| path.display().to_string());
        let line = format!("{}  {place}, {} models\n", layer.name(), layer.table.models().count());
        terminal.paint_into(&mut out, Style::Quiet, &line);
    }
    let label = all.iter().map(|p| width(p.model)).max().unwrap_or(0).max(8);
    let heads = format!(
        "\n{}  {} {:>9} {:>9} {:>9} {:>9}  source\n",
        pad("model", label),
        pad("", 14),
        "input",
        "cached",
        "written",
        "output"
    );
    terminal.paint_into(&mut out, Style::Quiet, &heads);
    let mut before = "";
    for price in all {
        let kind = match (price.tier, price.long) {
            (Tier::Standard, false) => String::new(),
            (Tier::Standard, true) => "> 272k".to_owned(),
            (tier, false) => tier_name(tier).to_owned(),
            (tier, true) => format!("{} > 272k", tier_name(tier)),
        };
        let name = if price.model == before { "" } else { price.model };
        before = price.model;
        let own = if price.source == "user" { "  user" } else { "" };
        out.push_str(&format!("{}  {}", pad(name, label), pad(&kind, 16)));
        let Rates { input, cached, written, output } = price.rates;
        for money in [input, cached, written, output] {
            let usd = money.times(1_000_000).usd();
            out.push_str(&pad_left(&format!("{}", (usd * 1e6).round() / 1e6), 10));
        }
        out.push_str(own);
        out.push('\n');
    }
    out
}

/// Names every model and tier of the history that has no price.
fn check(prices: &Prices, settings: &Settings, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut missing: BTreeMap<(String, String), Missing> = BTreeMap::new();
    let mut priced = 0;
    history::each(context.paths(), settings, None, &mut |line| {
        for used in line.uses.iter().filter(|used| used.calls > 0) {
            if is_priced(used, prices) {
                priced += used.calls;
                continue;
            }
            let tier = used.tier.clone().unwrap_or_default();
            let seen = missing.entry((used.model.clone(), tier)).or_default();
            seen.calls += used.calls;
            seen.tokens += used.input.saturating_add(used.output);
            seen.last = seen.last.max(used.at);
        }
    })?;
    warn(prices);
    if missing.is_empty() {
        writeln!(out, "every model that was used has a price ({} calls)", grouped(priced))?;
        return Ok(if prices.problems.is_empty() { exit::DONE } else { exit::FAILED });
    }
    for ((model, tier), seen) in &missing {
        let tier = if tier.is_empty() { String::new() } else { format!(" ({tier})") };
        let name = if model.is_empty() { "an unnamed model" } else { model };
        let (calls, tokens) = (grouped(seen.calls), grouped(seen.tokens));
        let day = super::view::text::local(seen.last, "%Y-%m-%d");
        let line = format!("{name}{tier}: no price; {calls} calls, {tokens} tokens, last on {day}");
        writeln!(out, "{}", crate::text::printable(&line))?;
    }
    writeln!(
        out,
        "\nset a price with `arize-codex prices set MODEL --like OTHER`, or with --input USD --output USD"
    )?;
    Ok(exit::FAILED)
}

#[derive(Debug, Default)]
struct Missing {
    calls: u64,
    tokens: u64,
    last: Timestamp,
}

fn is_priced(used: &TokenUse, prices: &Prices) -> bool {
    let known = TokenUse { unreported: 0, ..used.clone() };
    Bill::of([&known], prices).known().is_some()
}

fn update(path: &str, context: &Context, out: &mut dyn Write) -> anyhow::Result<u8> {
    let (content, name) = if path == "-" {
        let mut content = Vec::new();
        io::stdin().lock().take(book::MAX_BYTES).read_to_end(&mut content)?;
        (content, "standard input".to_owned())
    } else {
        let content = file::read_bounded(path.as_ref(), book::MAX_BYTES).with_context(|| path.to_owned())?;
        (content.with_context(|| format!("{path} does not exist"))?, path.to_owned())
    };
    let source = name.rsplit('/').next().unwrap_or(&name);
    let today = super::view::text::local(context.now(), "%Y-%m-%d");
    let count = book::update(context.paths(), &content, source, &today)
        .map_err(|error| anyhow::anyhow!("{error}; the price table is unchanged"))?;
    writeln!(out, "{count} models have a price in {source}; they take precedence over the built-in table")?;
    Ok(exit::DONE)
}

fn set(
    args: &PricesArgs,
    model: &str,
    users_file: Option<&str>,
    context: &Context,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let figures = [args.input, args.cached, args.cache_write, args.output];
    let entry = match (&args.like, args.input, args.output) {
        (Some(like), ..) if figures.iter().all(Option::is_none) => {
            let Some(entry) = book::entry_like(context.paths(), users_file, like) else {
                bail!("{like} has no price either; see `arize-codex prices list`");
            };
            entry
        }
        (Some(_), ..) => return Err(usage("use either --like or prices, not both")),
        (None, Some(input), Some(output)) => book::entry_of(input, args.cached, args.cache_write, output),
        _ => return Err(usage("give --like MODEL, or --input and --output in USD per million tokens")),
    };
    book::set(context.paths(), model, entry)?;
    writeln!(out, "{model} now has your own price, which applies to past turns too")?;
    Ok(exit::DONE)
}

fn warn(prices: &Prices) {
    for problem in &prices.problems {
        eprintln!("prices: {problem}");
    }
}

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Standard => "standard",
        tier => tier.suffix().trim_start_matches('_'),
    }
}
