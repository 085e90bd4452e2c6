use std::time::Duration;

use super::*;
use crate::call::{Event, RunEvent, Target};
use crate::chat::{FinishReason, StreamEvent};
use crate::config::Step as ConfigStep;
use crate::record::Recorder;

fn step(name: &str, prompt: &str, input: bool, needs: &[usize]) -> ResolvedStep {
    let step = ConfigStep { name: name.into(), prompt: Some(prompt.into()), prompt_line: 1, ..ConfigStep::default() };
    ResolvedStep { step, template: None, uses_input: input, needs: needs.to_vec() }
}

/// The calls `a` and `b` need no other, `c` needs both, `d` needs `c`.
fn diamond() -> PipelineSchedule {
    let steps = vec![
        step("a", "A {{ input }}", true, &[]),
        step("b", "B", false, &[]),
        step("c", "{{ a }}+{{ b }}", false, &[0, 1]),
        step("d", "{{ c }}", false, &[2]),
    ];
    let target = Target { gateway: "g".into(), model: "m".into() };
    let call = |index| Call::new(index, "m", vec![target.clone().into()], Arc::default());
    let file =
        Part::File(crate::chat::File { name: None, media_type: "application/pdf".into(), base64: String::new() });
    let parts = vec![file, Part::Text("in".into())];
    let base = Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() };
    PipelineSchedule::new(steps, (0..4).map(call).collect(), &Arc::new(base)).expect("good prompts")
}

/// What the schedule gives now: for each call its index, and the last part of its prompt or why it is skipped.
fn given(schedule: &mut PipelineSchedule) -> Vec<(usize, String)> {
    let mut given = Vec::new();
    while let Some(step) = schedule.next() {
        given.push(match step {
            Step::Call(call) => match parts(&call).pop() {
                Some(Part::Text(text)) => (call.index, text),
                other => panic!("{other:?}"),
            },
            Step::Skip(call, why) => {
                let index = call.index;
                end(schedule, index, &Err(why.clone()));
                (index, why.message)
            }
        });
    }
    given
}

/// Ends the call with this answer or failure.
fn end(schedule: &mut PipelineSchedule, index: usize, end: &Result<&str, Failure>) {
    let target = Target { gateway: "g".into(), model: "m".into() };
    let call = Call::new(index, "m", vec![target.into()], Arc::default());
    let mut recorder = Recorder::new("run", &call, Duration::ZERO);
    let mut tell = |event| recorder.event(&RunEvent { call: call.index, at: Duration::ZERO, event });
    match end {
        Ok(text) => {
            tell(Event::Stream(StreamEvent::TextDelta((*text).into())));
            tell(Event::Stream(StreamEvent::Finish(FinishReason::Stop)));
            tell(Event::Done(Ok(())));
        }
        Err(failure) => tell(Event::Done(Err(failure.clone()))),
    }
    schedule.ended(&call, &recorder.finish(Duration::ZERO));
}

fn down() -> Result<&'static str, Failure> {
    Err(Failure::new(FailureKind::Unavailable, "down"))
}

fn parts(call: &Call) -> Vec<Part> {
    call.request.messages.iter().flat_map(|message| message.parts.clone()).collect()
}

#[test]
fn a_call_that_waits_has_no_prompt_and_attachments_go_with_the_input() {
    let calls = diamond().calls();
    assert_eq!(parts(&calls[0]).last(), Some(&Part::Text("A in".into())));
    assert_eq!((parts(&calls[0]).len(), parts(&calls[1])), (2, vec![Part::Text("B".into())]));
    assert_eq!(parts(&calls[2]), []);
    assert_eq!(calls[2].tags()["step"], "c");
}

#[test]
fn a_step_is_made_once_and_only_when_all_that_it_needs_is_answered() {
    let mut schedule = diamond();
    assert_eq!(given(&mut schedule), [(0, "A in".to_owned()), (1, "B".to_owned())]);
    end(&mut schedule, 1, &Ok("{{ a }}"));
    assert_eq!(given(&mut schedule), []);
    end(&mut schedule, 0, &Ok("x"));
    assert_eq!(given(&mut schedule), [(2, "x+{{ a }}".to_owned())]);
    assert_eq!(given(&mut schedule), []);
}

#[test]
fn a_step_that_needs_a_failed_one_is_skipped_once_with_the_reason() {
    let mut schedule = diamond();
    given(&mut schedule);
    end(&mut schedule, 0, &down());
    let skipped = [(2, "not sent: step `a` failed"), (3, "not sent: step `c` was not sent")];
    assert_eq!(given(&mut schedule), skipped.map(|(index, why)| (index, why.to_owned())));
    end(&mut schedule, 1, &down());
    assert_eq!(given(&mut schedule), []);
}

#[test]
fn a_prompt_that_turns_out_empty_is_not_sent() {
    let mut schedule = diamond();
    given(&mut schedule);
    end(&mut schedule, 0, &Ok("x"));
    end(&mut schedule, 1, &Ok("x"));
    given(&mut schedule);
    end(&mut schedule, 2, &Ok(" "));
    assert_eq!(given(&mut schedule), [(3, "its prompt is empty".to_owned())]);
}

#[test]
fn the_calls_of_a_stopped_run_that_were_not_made_are_skipped() {
    let mut schedule = diamond();
    given(&mut schedule);
    let abandoned: Vec<_> = schedule
        .abandon()
        .into_iter()
        .map(|step| match step {
            Step::Skip(call, why) => (call.index, why.kind),
            Step::Call(call) => panic!("{call:?}"),
        })
        .collect();
    assert_eq!(abandoned, [(2, FailureKind::Skipped), (3, FailureKind::Skipped)]);
    assert_eq!(given(&mut schedule), []);
}
