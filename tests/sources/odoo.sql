-- Odoo 17's CRM tables, with the columns that mappings read; names that are translated are jsonb.
CREATE TABLE res_currency (id int PRIMARY KEY, name varchar NOT NULL, active boolean, write_date timestamp);
CREATE TABLE res_company (id int PRIMARY KEY, name varchar NOT NULL, currency_id int, write_date timestamp);
CREATE TABLE res_partner (id int PRIMARY KEY, name varchar, is_company boolean, parent_id int, commercial_partner_id int,
    email varchar, phone varchar, city varchar, active boolean, company_id int, create_date timestamp, write_date timestamp);
CREATE TABLE res_users (id int PRIMARY KEY, login varchar NOT NULL, partner_id int NOT NULL, active boolean, share boolean,
    sale_team_id int, create_date timestamp, write_date timestamp);
CREATE TABLE crm_team (id int PRIMARY KEY, name jsonb NOT NULL, user_id int, active boolean, create_date timestamp, write_date timestamp);
CREATE TABLE crm_stage (id int PRIMARY KEY, name jsonb NOT NULL, sequence int, is_won boolean, fold boolean, team_id int,
    create_date timestamp, write_date timestamp);
CREATE TABLE crm_lost_reason (id int PRIMARY KEY, name jsonb NOT NULL, write_date timestamp);
CREATE TYPE odd AS (x_decimal numeric, x_float float8, x_interval interval, x_bytes bytea, x_list int[], x_json jsonb,
    x_flag boolean, x_exact numeric);
CREATE TABLE crm_lead (id int PRIMARY KEY, name varchar NOT NULL, type varchar NOT NULL, partner_id int, user_id int, team_id int,
    stage_id int, company_id int, lost_reason_id int, source_id int, medium_id int, campaign_id int, expected_revenue numeric,
    probability double precision, recurring_revenue_monthly numeric, active boolean, email_from varchar, phone varchar,
    date_deadline date, date_closed timestamp, date_open timestamp, date_conversion timestamp, create_date timestamp,
    write_date timestamp, x_odd odd);
INSERT INTO res_currency VALUES (1, 'EUR', true, '2026-01-01');
INSERT INTO res_company VALUES (1, 'Acme', 1, '2026-01-01');
INSERT INTO res_partner SELECT n, 'Partner ' || n, n <= 20, CASE WHEN n > 20 THEN n - 20 END, CASE WHEN n > 20 THEN n - 20 ELSE n END,
    'p' || n || '@acme.example', NULL, NULL, true, 1, '2026-01-01', '2026-01-01' FROM generate_series(1, 44) n;
INSERT INTO res_users SELECT n, 'user' || n || '@acme.example', 40 + n, true, false, 1, '2026-01-01', '2026-01-01'
    FROM generate_series(1, 4) n;
INSERT INTO crm_team VALUES (1, '{"en_US": "Sales"}', 1, true, '2026-01-01', '2026-01-01'),
    (2, '{"en_US": "Online"}', 2, true, '2026-01-01', '2026-01-01'), (3, '{"en_US": "Partners"}', 3, true, '2026-01-01', '2026-01-01');
INSERT INTO crm_stage VALUES (1, '{"en_US": "New"}', 1, false, false, NULL, '2026-01-01', '2026-01-01'),
    (2, '{"en_US": "Qualified"}', 2, false, false, NULL, '2026-01-01', '2026-01-01'),
    (3, '{"en_US": "Proposition"}', 3, false, false, NULL, '2026-01-01', '2026-01-01'),
    (4, '{"en_US": "Won"}', 4, true, false, NULL, '2026-01-01', '2026-01-01'),
    (5, '{"en_US": "Later"}', 5, false, true, NULL, '2026-01-01', '2026-01-01');
-- What was worth how much when, and what was tracked of deals: their rows are compared with each other.
CREATE TABLE res_currency_rate (id int PRIMARY KEY, name date NOT NULL, rate numeric NOT NULL, currency_id int, company_id int,
    write_date timestamp);
CREATE TABLE ir_model_fields (id int PRIMARY KEY, name varchar NOT NULL, model varchar, write_date timestamp);
CREATE TABLE mail_message (id int PRIMARY KEY, model varchar, res_id int, date timestamp, author_id int, mail_activity_type_id int,
    message_type varchar, subject varchar, write_date timestamp);
CREATE TABLE mail_tracking_value (id int PRIMARY KEY, mail_message_id int NOT NULL, field_id int, old_value_integer int,
    new_value_integer int, old_value_float float8, new_value_float float8, old_value_datetime timestamp, new_value_datetime timestamp,
    write_date timestamp);
INSERT INTO res_currency VALUES (2, 'USD', true, '2026-01-01');
-- The later rate was written long before the other, so that no overlap reads it again.
INSERT INTO res_currency_rate VALUES (1, '2026-01-01', 1.25, 2, 1, '2026-02-01'), (2, '2026-02-01', 1.2, 2, 1, '2026-01-15');
INSERT INTO ir_model_fields VALUES (1, 'stage_id', 'crm.lead', '2026-01-01'), (2, 'expected_revenue', 'crm.lead', '2026-01-01');
-- What a home-made CRM would offer: views that are named and shaped like the canonical tables.
CREATE SCHEMA outgoing;
CREATE VIEW outgoing.opportunities AS SELECT l.id AS opportunity_id, coalesce(l.partner_id, 1) AS account_id, l.name, coalesce(l.user_id, 1) AS owner_id,
    'default' AS pipeline_id, l.stage_id, l.expected_revenue AS amount, 'EUR' AS currency, l.probability / 100 AS probability,
    'pipeline' AS forecast_category, coalesce(l.date_deadline, DATE '2026-12-31') AS close_date, coalesce(l.create_date, l.write_date) AS created_at,
    false AS is_closed, false AS is_won, l.write_date AS updated_at,
    (l.x_odd).x_decimal, (l.x_odd).x_float, (l.x_odd).x_interval, (l.x_odd).x_bytes, (l.x_odd).x_list, (l.x_odd).x_json,
    (l.x_odd).x_flag, (l.x_odd).x_exact
    FROM crm_lead l WHERE l.type = 'opportunity';
