//! Makes the calls of a row.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::judging::Judging;
use super::plan::PlannedWork;
use crate::batch::feed::Asked;
use crate::batch::{Maker, RowHash, RowInfo, Work};
use crate::call::{Call, Choice};
use crate::chat::{Message, Part, Request, Role};
use crate::config::Settings;
use crate::error::Error;
use crate::pipeline::PipelineSchedule;
use crate::resolve::{CallTemplate, LookedUp};
use crate::route::NamedRoute;
use crate::run::Schedule;

/// Makes calls from the base of a batch and the prompts of its rows.
pub(super) struct CallMaker<'a> {
    settings: &'a Settings,
    base: &'a CallTemplate,
    work: &'a PlannedWork,
    names: &'a [String],
    judging: Option<&'a Judging>,
    data: LookedUp<'a>,
    /// By gateway, how long a call may take, where the user did not set it.
    timeouts: HashMap<String, Duration>,
    /// What makes the idempotency keys of this batch its own.
    salt: String,
}

impl<'a> CallMaker<'a> {
    /// A gateway that knows an idempotency key answers from memory. So the calls of one job have the same keys whenever they
    /// are made, and a job whose failed rows are asked again has others: `salt` tells them apart.
    pub(super) fn new(
        settings: &'a Settings,
        base: &'a CallTemplate,
        work: &'a PlannedWork,
        names: &'a [String],
        salt: String,
    ) -> Self {
        let data = LookedUp::new(settings, &base.request);
        Self { settings, base, work, names, judging: None, data, timeouts: HashMap::new(), salt }
    }

    /// The same with judges, which are asked when an answer has come.
    pub(super) fn judged(self, judging: Option<&'a Judging>) -> Self {
        Self { judging, ..self }
    }

    /// One call for each name, without a prompt: gateways are prepared for calls like these.
    pub(super) fn samples(&mut self) -> Result<Vec<Call>, Error> {
        let routes: &[NamedRoute] = match self.work {
            PlannedWork::Models(routes) | PlannedWork::Pipeline(_, routes) => routes,
        };
        routes.iter().map(|route| self.base.call(self.settings, &self.data, 0, route)).collect()
    }

    /// The call of a row to the model of this place.
    pub(super) fn call(
        &mut self,
        info: &RowInfo,
        request: Request,
        place: usize,
        route: &NamedRoute,
    ) -> Result<Call, Error> {
        self.data.expect(&request);
        let routes = std::iter::once(route).chain(&self.base.fallback);
        let choices: Vec<Choice> = routes.flat_map(|route| route.route.choices(&self.data)).collect();
        let timeout = match self.base.timeout {
            Some(timeout) => timeout,
            None => self.timeout_of(&choices[0].target.gateway)?,
        };
        let mut call = Call::new(0, route.name.clone(), choices, Arc::new(request));
        call.caller = Arc::clone(&self.base.caller);
        call.task.clone_from(&route.task);
        call.schema.clone_from(&self.base.schema);
        call.limits.retries = self.base.retries;
        call.limits.timeout = timeout;
        call.label = Some(info.id.clone().unwrap_or_else(|| info.number.to_string()));
        let parts: [&[u8]; 4] = [
            self.salt.as_bytes(),
            self.names[place].as_bytes(),
            &info.number.to_le_bytes(),
            &info.hash.0.to_le_bytes(),
        ];
        let (high, low) = (RowHash::of(parts).0, RowHash::of(parts.into_iter().rev()).0);
        call.idempotency_key =
            uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
                .into_uuid()
                .to_string();
        Ok(call)
    }

    fn timeout_of(&mut self, gateway: &str) -> Result<Duration, Error> {
        if let Some(timeout) = self.timeouts.get(gateway) {
            return Ok(*timeout);
        }
        let timeout = self.settings.gateway(gateway)?.timeouts.total;
        self.timeouts.insert(gateway.to_owned(), timeout);
        Ok(timeout)
    }

    /// The request of a row.
    pub(super) fn request(&self, asked: Asked) -> Request {
        let mut request = Request::clone(&self.base.request);
        if let Some(system) = asked.system {
            request.messages.retain(|message| message.role != Role::System);
            request.messages.insert(0, Message::text(Role::System, system));
        }
        if let Some(message) = request.messages.last_mut() {
            // The text of attached files comes before the prompt, with an empty line between them.
            let before = match message.parts.pop() {
                Some(Part::Text(text)) => text,
                _ => String::new(),
            };
            message.parts.extend(asked.parts);
            message.parts.push(Part::Text(before + &asked.prompt));
        }
        request
    }
}

impl Maker for CallMaker<'_> {
    fn make(&mut self, info: &RowInfo, asked: Asked, place: usize) -> Result<Work, Error> {
        let request = self.request(asked);
        match self.work {
            PlannedWork::Models(routes) => {
                let call = self.call(info, request, place, &routes[place])?;
                Ok(match self.judging {
                    None => Work::Call(Box::new(call)),
                    Some(judging) => Work::Steps(
                        Box::new(judging.schedule(place, call, info.expected.as_deref())) as Box<dyn Schedule>
                    ),
                })
            }
            PlannedWork::Pipeline(steps, routes) => {
                let calls = routes.iter().enumerate().map(|(at, route)| {
                    let call = self.call(info, request.clone(), place, route)?;
                    let idempotency_key = call.key_for(&steps[at].step.name);
                    Ok(Call { index: at, idempotency_key, ..call })
                });
                let calls = calls.collect::<Result<Vec<_>, Error>>()?;
                let schedule = PipelineSchedule::new(steps.clone(), calls, &Arc::new(request));
                let schedule = schedule.map_err(|(at, error)| {
                    Error::config(format!("step `{}`: its prompt: {error}", steps[at].step.name))
                })?;
                Ok(Work::Steps(Box::new(schedule) as Box<dyn Schedule>))
            }
        }
    }

    fn unusable(&mut self, place: usize) -> Call {
        let route = match self.work {
            PlannedWork::Models(routes) => routes.get(place),
            PlannedWork::Pipeline(_, routes) => routes.last(),
        };
        let choices = route.map(|route| route.route.choices(&self.data)).unwrap_or_default();
        Call::new(0, self.names[place].clone(), choices, Arc::default())
    }
}
