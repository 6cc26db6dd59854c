//! From the plan's scenarios to a program.

use std::fmt::Display;
use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::draft::{Body, Draft, is_header_value};
use super::encode::Encoding;
use super::feed::Feed;
use super::inspect::{self, Patterns};
use super::look::{Check, Extract, Source};
use super::names::Names;
use super::origin::Origin;
use super::program::{Program, Scenario, Shared};
use super::step::{Step, Wants};
use super::target::{Base, append_query};
use super::template::{Scene, Template};
use crate::{Error, Nanos, Request, Result, plan};

/// Bytes of a body without meaning.
const MOST_SIZED: u64 = 64 << 20;

/// Steps of all scenarios.
const MOST_STEPS: usize = 10_000;

/// Nanoseconds in a millisecond.
const MS: Nanos = 1_000_000;

/// Headers that belong to the connection or to the length of the body.
const NOT_THE_PLANS: [&str; 6] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
];

/// Where in the plan something stands, for errors.
#[derive(Clone, Copy)]
struct Place<'a> {
    scenario: &'a str,
    step: Option<&'a str>,
}

impl Place<'_> {
    fn error(self, field: impl Display, said: &str) -> Error {
        let scenario = self.scenario;
        Error::input(match self.step {
            Some(step) => format!("scenario {scenario:?}, step {step:?}, {field}: {said}"),
            None => format!("scenario {scenario:?}, {field}: {said}"),
        })
    }
}

/// Headers to send, and what `Host` is to say, where the plan gives that.
type Headers = (Vec<(String, Template)>, Option<String>);

/// What is gathered over all scenarios.
struct Compiler<'a> {
    base: Base,
    headers: &'a [(String, String)],
    origins: Vec<Origin>,
    patterns: Patterns,
    steps: Vec<Step>,
    slots: usize,
}

impl Program {
    /// Compiles scenarios. `headers` go with every request, but where a step has one of the same name.
    ///
    /// # Errors
    /// [`Error::Input`] that names scenario, step and field.
    pub fn compile(
        scenarios: &[plan::Scenario],
        base_url: &str,
        headers: &[(String, String)],
    ) -> Result<Self> {
        let base =
            Base::parse(base_url).map_err(|said| Error::input(format!("base_url: {said}")))?;
        let mut compiler = Compiler {
            base,
            headers,
            origins: Vec::new(),
            patterns: Patterns::default(),
            steps: Vec::new(),
            slots: 0,
        };
        let done: Vec<_> = scenarios
            .iter()
            .enumerate()
            .map(|(index, scenario)| compiler.scenario(index, scenario))
            .collect::<Result<_>>()?;
        if !done.iter().any(|scenario| scenario.weight > 0.0) {
            return Err(Error::input(
                "the plan has no scenario with a weight above 0: give one",
            ));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                origins: compiler.origins,
                scenarios: done,
                steps: compiler.steps,
                slots: compiler.slots,
            }),
            patterns: compiler.patterns.compiled,
        })
    }
}

impl Compiler<'_> {
    fn scenario(&mut self, index: usize, plan: &plan::Scenario) -> Result<Scenario> {
        let place = Place {
            scenario: &plan.name,
            step: None,
        };
        if !plan.weight.is_finite() || plan.weight < 0.0 {
            return Err(place.error("weight", "it is not a number of 0 or more: give one"));
        }
        if plan.steps.is_empty() || self.steps.len() + plan.steps.len() > MOST_STEPS {
            let said = format!(
                "there are none or, over all scenarios, more than {MOST_STEPS}: give as many"
            );
            return Err(place.error("steps", &said));
        }
        let mut names = Names::default();
        let columns =
            columns(plan.data.as_ref(), &mut names).map_err(|said| place.error("data", &said))?;
        let scenario_name: Arc<str> = plan.name.as_str().into();
        let start = self.steps.len();
        for step in &plan.steps {
            let mut compiled = self.step(plan, step, &mut names)?;
            compiled.scenario = index;
            compiled.scenario_name = Arc::clone(&scenario_name);
            self.steps.push(compiled);
        }
        self.slots = self.slots.max(names.len());
        self.want_cookies(start, plan.keep_cookies);
        Ok(Scenario {
            name: scenario_name,
            weight: plan.weight,
            retries: plan.retries,
            retry_delay: plan.retry_delay_ms.saturating_mul(MS),
            keep_cookies: plan.keep_cookies,
            steps: start..self.steps.len(),
            feed: plan.data.as_ref().map(Feed::new),
            columns,
        })
    }

    fn step(
        &mut self,
        scenario: &plan::Scenario,
        plan: &plan::Step,
        names: &mut Names,
    ) -> Result<Step> {
        let place = Place {
            scenario: &scenario.name,
            step: Some(&plan.name),
        };
        let (draft, origin, host) = self.draft(place, plan, names)?;
        let label = match &plan.label {
            Some(text) => Template::compile(text, names, Encoding::Plain),
            None => Ok(plain(&format!("{}/{}", scenario.name, plan.name))),
        };
        let label = label.map_err(|said| place.error("label", &said))?;
        if plan.think_ms.0 > plan.think_ms.1 {
            return Err(place.error("think_ms", "the least is more than the most: swap them"));
        }
        let (extracts, checks) = self.inspections(place, plan, names)?;
        Ok(Step {
            scenario: 0,
            scenario_name: "".into(),
            name: plan.name.clone(),
            label,
            host: host.unwrap_or_else(|| self.origins[origin].authority()),
            timeout_ms: plan.timeout_ms.or(scenario.timeout_ms),
            wants: wants(&extracts, &checks),
            fixed: fixed(&draft, &self.origins[origin]),
            origin,
            draft,
            extracts,
            checks_status: !checks.iter().any(|check| matches!(check, Check::Status(_))),
            checks,
            keep_for: plan
                .cache_ttl_ms
                .filter(|ttl| *ttl > 0)
                .map(|ttl| ttl.saturating_mul(MS)),
            think: (
                plan.think_ms.0.saturating_mul(MS),
                plan.think_ms.1.saturating_mul(MS),
            ),
        })
    }

    /// What requests of a step are made from, the number of their origin, and what `Host` is to say.
    fn draft(
        &mut self,
        place: Place<'_>,
        plan: &plan::Step,
        names: &Names,
    ) -> Result<(Draft, usize, Option<String>)> {
        let target = self
            .base
            .target(&plan.path, names)
            .map_err(|said| place.error("path", &said))?;
        let (headers, host) = self.headers(place, plan, names)?;
        let mut draft = Draft {
            method: plan.method.clone(),
            target: target.template,
            prefix: target.prefix,
            cookie: headers
                .iter()
                .position(|(name, _)| name.eq_ignore_ascii_case("cookie")),
            headers,
            body: body(plan, names).map_err(|said| place.error("body", &said))?,
        };
        append_query(&mut draft.target, &plan.query, names)
            .map_err(|said| place.error("query", &said))?;
        if !inspect::is_token(&plan.method) {
            return Err(place.error(
                "method",
                &format!("{:?} is not a method: write GET, POST ...", plan.method),
            ));
        }
        Ok((draft, self.origin(target.origin), host))
    }

    fn origin(&mut self, origin: Origin) -> usize {
        self.origins
            .iter()
            .position(|known| *known == origin)
            .unwrap_or_else(|| {
                self.origins.push(origin);
                self.origins.len() - 1
            })
    }

    /// Those of the run that the step does not have itself, then its own; `Host` apart.
    fn headers(&self, place: Place<'_>, plan: &plan::Step, names: &Names) -> Result<Headers> {
        let own = |name: &str| {
            plan.headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let of_run = self.headers.iter().filter(|(name, _)| !own(name));
        let (mut headers, mut host) = (Vec::new(), None);
        for (name, value) in of_run.chain(&plan.headers) {
            let template = header(name, value, names)
                .map_err(|said| place.error(format_args!("header {name:?}"), &said))?;
            if name.eq_ignore_ascii_case("host") {
                host = template.fixed().map(str::to_owned);
            } else {
                headers.push((name.clone(), template));
            }
        }
        Ok((headers, host))
    }

    fn inspections(
        &mut self,
        place: Place<'_>,
        plan: &plan::Step,
        names: &mut Names,
    ) -> Result<(Vec<Extract>, Vec<Check>)> {
        let checks = plan.assert.iter().enumerate().map(|(index, assert)| {
            inspect::check(assert, &mut self.patterns)
                .map_err(|said| place.error(format_args!("assert {}", index + 1), &said))
        });
        let checks = checks.collect::<Result<_>>()?;
        let extracts = plan.extract.iter().enumerate().map(|(index, extract)| {
            inspect::extract(extract, names, &mut self.patterns)
                .map_err(|said| place.error(format_args!("extract {}", index + 1), &said))
        });
        Ok((extracts.collect::<Result<_>>()?, checks))
    }

    /// A step's cookies matter when a later step of its scenario may send them; where they are kept, the next
    /// iteration's steps are later ones.
    fn want_cookies(&mut self, start: usize, are_kept: bool) {
        let mut later: Vec<usize> = Vec::new();
        if are_kept {
            later.extend(self.steps[start..].iter().map(Step::origin));
        }
        for step in self.steps[start..].iter_mut().rev() {
            let host = &self.origins[step.origin].host;
            step.wants.cookies = later
                .iter()
                .any(|&other| are_related(host, &self.origins[other].host));
            if !later.contains(&step.origin) {
                later.push(step.origin);
            }
        }
    }
}

/// The variables of the columns.
fn columns(data: Option<&plan::Data>, names: &mut Names) -> Result<Vec<u16>, String> {
    let Some(data) = data else {
        return Ok(Vec::new());
    };
    if data.rows.is_empty() {
        return Err("it has no rows: give at least one".to_owned());
    }
    let (width, columns) = (data.rows.width(), data.columns.len());
    if width != columns {
        return Err(format!(
            "it has {columns} columns and rows of {width} values: give as many of both"
        ));
    }
    if let Some(twice) = data
        .columns
        .iter()
        .enumerate()
        .find(|(at, name)| data.columns[..*at].contains(name))
    {
        return Err(format!("two columns are named {:?}: rename one", twice.1));
    }
    data.columns.iter().map(|name| names.add(name)).collect()
}

fn header(name: &str, value: &str, names: &Names) -> Result<Template, String> {
    inspect::header_name(name)?;
    if NOT_THE_PLANS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
    {
        return Err("it belongs to the connection: leave it out".to_owned());
    }
    if !is_header_value(value) {
        return Err(
            "its value has a line break or another control character: leave it out".to_owned(),
        );
    }
    let template = Template::compile(value, names, Encoding::Plain)?;
    if name.eq_ignore_ascii_case("host") && template.fixed().is_none() {
        return Err(
            "the host cannot be a variable: every host is known before a run starts".to_owned(),
        );
    }
    Ok(template)
}

fn body(plan: &plan::Step, names: &Names) -> Result<Body, String> {
    match (&plan.body, plan.body_size) {
        (None, None) => Ok(Body::None),
        (Some(text), None) => Template::compile(text, names, Encoding::Plain).map(Body::Text),
        (None, Some(size)) if size <= MOST_SIZED => Ok(Body::Sized(size as usize)),
        (None, Some(size)) => Err(format!(
            "{size} bytes are more than {MOST_SIZED}: give fewer"
        )),
        (Some(_), Some(_)) => Err("it is given as text and as a size: give one of them".to_owned()),
    }
}

/// The request, when nothing in it varies.
fn fixed(draft: &Draft, origin: &Origin) -> Option<Request> {
    let mut request = Request::default();
    // Nothing varies, so neither the numbers nor the generator are asked for.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let mut scene = Scene {
        values: &[],
        user: 0,
        iteration: 0,
        unix_ms: 0,
        rng: &mut rng,
    };
    let is_whole = draft.is_fixed() && draft.fill(&mut scene, origin, &mut request).is_ok();
    is_whole.then_some(request)
}

fn wants(extracts: &[Extract], checks: &[Check]) -> Wants {
    let body = extracts.iter().any(Extract::needs_body) || checks.iter().any(Check::needs_body);
    let head = extracts
        .iter()
        .any(|extract| matches!(extract.source, Source::Header(_) | Source::Cookie(_)))
        || checks
            .iter()
            .any(|check| matches!(check, Check::Header { .. }));
    Wants {
        head: head || body,
        body,
        cookies: false,
    }
}

/// Whether a cookie of one host may go to another: they are one, or share the last two parts of their names.
fn are_related(one: &str, other: &str) -> bool {
    let tail = |host: &'_ str| host.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
    one == other || one[tail(one)..] == other[tail(other)..]
}

fn plain(text: &str) -> Template {
    let mut template = Template::default();
    template.push_text(text, Encoding::Plain);
    template
}
