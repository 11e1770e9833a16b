//! Who sells and what they do: users, hierarchy, territories, activities.

use super::Kind::{Boolean, Date, Integer, Number, Text, Timestamp};
use super::{Table, optional, reference, required};

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "activities",
        meaning: "one e-mail, call, meeting, demo, proposal, task or note",
        key: &["activity_id"],
        columns: &[
            required("activity_id", Text, "id of the activity"),
            required("kind", Text, "email, call, meeting, demo, proposal, task, note or internal"),
            optional("direction", Text, "out or in"),
            required("owner_id", Text, "user that did it"),
            optional("account_id", Text, "account concerned"),
            optional("contact_id", Text, "contact concerned"),
            optional("lead_id", Text, "lead concerned"),
            optional("opportunity_id", Text, "opportunity concerned"),
            required("occurred_at", Timestamp, "when it happened or is planned"),
            optional("duration_s", Integer, "length (seconds)"),
            optional("status", Text, "planned, done, no_show or cancelled"),
            optional("outcome", Text, "outcome as the CRM names it"),
            optional("subject", Text, "subject line"),
            optional("is_automated", Boolean, "true if a sequence sent it"),
        ],
        references: &[
            reference("owner_id", "users", "user_id"),
            reference("account_id", "accounts", "account_id"),
            reference("contact_id", "contacts", "contact_id"),
            reference("lead_id", "leads", "lead_id"),
            reference("opportunity_id", "opportunities", "opportunity_id"),
        ],
    },
    Table {
        name: "users",
        meaning: "one person of the sales organisation",
        key: &["user_id"],
        columns: &[
            required("user_id", Text, "id of the user"),
            required("name", Text, "full name"),
            optional("email", Text, "e-mail address, lower case"),
            optional("role", Text, "sdr, ae, am, se, csm, manager or ops"),
            optional("manager_id", Text, "user reported to"),
            optional("team", Text, "team or office"),
            optional("segment", Text, "segment served"),
            optional("hire_date", Date, "first day at work"),
            optional("quota_start_date", Date, "first day with a quota"),
            optional("termination_date", Date, "last day at work"),
            required("is_active", Boolean, "false once gone"),
            optional("fte", Number, "share of a full-time job (ratio)"),
            optional("hours_per_week", Number, "contracted hours a week"),
        ],
        references: &[reference("manager_id", "users", "user_id")],
    },
    Table {
        name: "user_hierarchy",
        meaning: "one ancestor of one user; everyone is their own at depth 0",
        key: &["ancestor_id", "descendant_id"],
        columns: &[
            required("ancestor_id", Text, "user above, or the same"),
            required("descendant_id", Text, "user below, or the same"),
            required("depth", Integer, "steps between them (count)"),
        ],
        references: &[
            reference("ancestor_id", "users", "user_id"),
            reference("descendant_id", "users", "user_id"),
        ],
    },
    Table {
        name: "territories",
        meaning: "one territory",
        key: &["territory_id"],
        columns: &[
            required("territory_id", Text, "id of the territory"),
            required("name", Text, "name"),
            optional("parent_id", Text, "territory it is part of"),
            optional("region", Text, "region"),
            optional("model_id", Text, "territory model it belongs to"),
            optional("state", Text, "state of the model: planning, active or archived"),
        ],
        references: &[reference("parent_id", "territories", "territory_id")],
    },
    Table {
        name: "territory_members",
        meaning: "one user in one territory from valid_from until valid_to",
        key: &["territory_id", "user_id", "valid_from"],
        columns: &[
            required("territory_id", Text, "territory"),
            required("user_id", Text, "member"),
            required("valid_from", Date, "first day"),
            optional("valid_to", Date, "last day, inclusive"),
            optional("role", Text, "role in the territory"),
        ],
        references: &[
            reference("territory_id", "territories", "territory_id"),
            reference("user_id", "users", "user_id"),
        ],
    },
];
