//! What sellers do all week: Task and Event.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};

use super::World;
use super::calendar::{at_work, plus};
use super::deals::won_stage;
use super::export::{Export, Instant, Maybe, Sheet, short};
use super::ids::{prefix, record_id};
use super::people::{Role, User};
use super::random::Random;

/// How long before and after its life a deal draws activities, in days.
const NEXT_WEEKS_DAYS: i64 = 10;

struct Books {
    tasks: Sheet,
    events: Sheet,
}

/// Writes Task and Event, and notes on each deal when it was last worked on.
pub(super) fn export(world: &mut World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "activities");
    let mut books = Books {
        tasks: Sheet::new(&[
            "Id",
            "OwnerId",
            "AccountId",
            "WhoId",
            "WhatId",
            "Subject",
            "Type",
            "TaskSubtype",
            "Status",
            "ActivityDate",
            "CompletedDateTime",
            "CallDurationInSeconds",
            "CallType",
            "CallDisposition",
            "CreatedDate",
            "LastModifiedDate",
            "SystemModstamp",
            "IsDeleted",
        ]),
        events: Sheet::new(&[
            "Id",
            "OwnerId",
            "AccountId",
            "WhoId",
            "WhatId",
            "Subject",
            "Type",
            "EventSubtype",
            "Status__c",
            "StartDateTime",
            "EndDateTime",
            "DurationInMinutes",
            "IsChild",
            "CreatedDate",
            "LastModifiedDate",
            "SystemModstamp",
            "IsDeleted",
        ]),
    };
    let mut by_owner: Vec<Vec<usize>> = vec![vec![]; world.users.len()];
    for (index, deal) in world.deals.iter().enumerate() {
        by_owner[deal.owner].push(index);
    }
    for (user, deals) in by_owner.iter().enumerate() {
        if world.users[user].role == Role::Seller {
            work_life(world, random, user, deals, &mut books);
        }
    }
    answers(world, random, &mut books.tasks);
    // Broken rows: a day that does not exist.
    for number in 0..world.params.company.dirt.malformed {
        let id = record_id(prefix::TASK, books.tasks.rows() as usize + number + 1);
        let owner = &world.users[0].id;
        let blank = &"" as &dyn std::fmt::Display;
        books.tasks.row(&[
            &id,
            owner,
            blank,
            blank,
            blank,
            &"Test",
            &"Call",
            &"Call",
            &"Completed",
            &"2025-02-31",
            blank,
            blank,
            blank,
            blank,
            &"2025-02-31T09:00:00.000Z",
            blank,
            blank,
            &false,
        ]);
    }
    export.add("salesforce", "Task", books.tasks);
    export.add("salesforce", "Event", books.events);
}

/// All weeks of one seller.
fn work_life(
    world: &mut World,
    random: &mut Random,
    user: usize,
    deals: &[usize],
    books: &mut Books,
) {
    let (first, last) = (world.params.first, world.params.last);
    let mut monday = first;
    while monday <= last {
        let person = &world.users[user];
        if person.is_active(monday) {
            let until = last.min(person.left.unwrap_or(last));
            let open: Vec<usize> =
                deals.iter().copied().filter(|d| is_open_in_week(world, *d, monday)).collect();
            week(world, random, user, monday, until, &open, books);
        }
        monday = plus(monday, 7);
    }
}

fn is_open_in_week(world: &World, deal: usize, monday: NaiveDate) -> bool {
    let deal = &world.deals[deal];
    let closed = deal.state().stage >= won_stage(&world.params);
    deal.created.date() <= monday && (!closed || deal.state().close > plus(monday, 4))
}

/// One seller's week: counts of each kind between those of the unskilled and of the skilled.
fn week(
    world: &mut World,
    random: &mut Random,
    user: usize,
    monday: NaiveDate,
    until: NaiveDate,
    open: &[usize],
    books: &mut Books,
) {
    let person = &world.users[user];
    let season = world.params.company.trend.work_weights[monday.month0() as usize];
    let effort =
        season * person.fte * (0.5 + 0.5 * person.ramp(monday, &world.params.company.people.ramp));
    let skill = person.skill;
    for kind in 0..world.params.company.activity.kinds.len() {
        let mix = &world.params.company.activity;
        let mean = (mix.bottom[kind] + (mix.top[kind] - mix.bottom[kind]) * skill) * effort;
        for _ in 0..random.count(mean) {
            let day = plus(monday, random.whole(0, 4));
            // Meetings of the next days are in the calendar already.
            let is_meeting = matches!(mix.kinds[kind].as_str(), "meeting" | "demo");
            if day > plus(until, if is_meeting { NEXT_WEEKS_DAYS } else { 0 }) {
                continue;
            }
            let deal = (!open.is_empty() && random.chance(0.8)).then(|| *random.pick(open));
            let at = at_work(random, day);
            record(world, random, user, kind, at, deal, books);
            if let Some(deal) = deal.filter(|_| day <= world.params.last) {
                let seen = &mut world.deals[deal].last_activity;
                *seen = (*seen).max(Some(day));
            }
        }
    }
}

/// Writes one activity to the file it belongs in.
fn record(
    world: &World,
    random: &mut Random,
    user: usize,
    kind: usize,
    at: NaiveDateTime,
    deal: Option<usize>,
    books: &mut Books,
) {
    let (company, names) = (&world.params.company, &world.params.names);
    let person = &world.users[user];
    let name = company.activity.kinds[kind].as_str();
    let is_internal = matches!(name, "internal" | "task");
    let account = match deal {
        Some(deal) => Some(world.deals[deal].account),
        None if is_internal => None,
        None => Some(random.below(world.accounts.len())),
    };
    let contact = account.map(|a| *random.pick(&world.accounts[a].contacts));
    let who = contact.filter(|_| !is_internal).map(|c| &world.contacts[c].id);
    let account_id = account.map(|a| &world.accounts[a].id);
    let what = deal.map(|deal| &world.deals[deal].id).or(account_id);
    let cut = random.chance(company.dirt.short_id_ratio);
    let what = what.map(|id| if cut { short(id) } else { id.as_str() });
    let minutes = company.activity.minutes[kind];
    let subject = match name {
        "email" => random.pick(&names.subjects_email).as_str(),
        "call" => random.pick(&names.subjects_call).as_str(),
        "meeting" => random.pick(&names.subjects_meeting).as_str(),
        "demo" => "Product demonstration",
        "proposal" => "Proposal sent",
        "internal" => "Team meeting",
        _ => "Update records",
    };
    let stamp = Instant(at);
    if minutes > 0 && name != "call" {
        let length = (minutes as f64 * random.between(0.6, 1.4)) as i64 / 5 * 5;
        let status = event_status(world, random, at);
        let id = record_id(prefix::EVENT, books.events.rows() as usize);
        let kind = capital(name);
        books.events.row(&[
            &id,
            &person.id,
            &Maybe(account_id),
            &Maybe(who),
            &Maybe(what),
            &subject,
            &kind,
            &"Event",
            &status,
            &stamp,
            &Instant(at + TimeDelta::minutes(length)),
            &length,
            &false,
            &stamp,
            &stamp,
            &stamp,
            &false,
        ]);
        return;
    }
    let id = record_id(prefix::TASK, books.tasks.rows() as usize);
    let (seconds, disposition) = call_result(world, random, person, name, minutes);
    let (call_type, subtype) = match name {
        "call" => ("Outbound", "Call"),
        "email" => ("", "Email"),
        _ => ("", "Task"),
    };
    books.tasks.row(&[
        &id,
        &person.id,
        &Maybe(account_id),
        &Maybe(who),
        &Maybe(what),
        &subject,
        &capital(name),
        &subtype,
        &"Completed",
        &at.date(),
        &stamp,
        &Maybe(seconds),
        &call_type,
        &disposition,
        &stamp,
        &stamp,
        &stamp,
        &false,
    ]);
}

/// Length (s) and outcome of a call; other tasks have neither.
fn call_result(
    world: &World,
    random: &mut Random,
    person: &User,
    name: &str,
    minutes: i64,
) -> (Option<i64>, &'static str) {
    if name != "call" {
        return (None, "");
    }
    let mix = &world.params.company.activity;
    let p = mix.connected_bottom + (mix.connected_top - mix.connected_bottom) * person.skill;
    let is_connected = random.chance(p);
    let median = if is_connected { minutes as f64 * 60.0 } else { 35.0 };
    let seconds = random.log_normal(median, 0.5) as i64;
    let is_known = !random.chance(world.params.company.dirt.missing_duration_ratio);
    (is_known.then_some(seconds), if is_connected { "Connected" } else { "No Answer" })
}

fn event_status(world: &World, random: &mut Random, at: NaiveDateTime) -> &'static str {
    let mix = &world.params.company.activity;
    if at.date() > world.params.last {
        return "Planned";
    }
    let draw = random.unit();
    if draw < mix.no_show_ratio {
        "No Show"
    } else if draw < mix.no_show_ratio + mix.cancelled_ratio {
        "Cancelled"
    } else {
        "Completed"
    }
}

/// The first answer to each lead.
fn answers(world: &World, random: &mut Random, tasks: &mut Sheet) {
    for lead in &world.leads {
        let Some(at) = lead.answered else { continue };
        let (id, owner) =
            (record_id(prefix::TASK, tasks.rows() as usize), &world.users[lead.owner].id);
        let (kind, subtype) =
            if random.chance(0.6) { ("Email", "Email") } else { ("Call", "Call") };
        let stamp = Instant(at);
        let seconds = (kind == "Call").then(|| random.whole(20, 420));
        let call_type = if kind == "Call" { "Outbound" } else { "" };
        tasks.row(&[
            &id,
            owner,
            &"",
            &lead.id,
            &"",
            &"First answer",
            &kind,
            &subtype,
            &"Completed",
            &at.date(),
            &stamp,
            &Maybe(seconds),
            &call_type,
            &"",
            &stamp,
            &stamp,
            &stamp,
            &false,
        ]);
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}
