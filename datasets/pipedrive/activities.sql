-- The activities. They are due at a UTC time of day, or on a day; `duration` is hours and minutes.
-- requires: activities(id, type, due_date)
-- labels: activities(id = Activity - ID, type = Activity - Type, subject = Activity - Subject, due_date = Activity - Due date, due_time = Activity - Due time, duration = Activity - Duration, done = Activity - Done, user_id = Activity - Assigned to user ID, deal_id = Activity - Deal ID, person_id = Activity - Person ID, org_id = Activity - Organization ID, add_time = Activity - Add time, update_time = Activity - Update time)
SELECT
    id AS activity_id,
    CASE WHEN lower(type) LIKE '%demo%' THEN 'demo' WHEN lower(type) LIKE '%proposal%' THEN 'proposal'
        WHEN type IN ('call', 'email') THEN type WHEN type IN ('meeting', 'lunch') THEN 'meeting'
        ELSE 'task' END AS kind,
    coalesce(json_text(user_id, 'id'), json_text(owner_id, 'id'), 'unassigned') AS owner_id,
    json_text(org_id, 'value') AS account_id,
    json_text(person_id, 'value') AS contact_id,
    lead_id AS lead_id,
    json_text(deal_id, 'value') AS opportunity_id,
    CASE WHEN due_time IS NOT NULL THEN utc(due_date || ' ' || due_time)
        ELSE coalesce(due_date, utc(add_time)) END AS occurred_at,
    clock_seconds(duration) AS duration_s,
    CASE WHEN flag(coalesce(done, 'false')) = 'true' THEN 'done' ELSE 'planned' END AS status,
    outcome AS outcome,
    subject AS subject,
    CASE WHEN flag(coalesce(is_deleted, 'false')) = 'true' OR flag(coalesce(active_flag, 'true')) = 'false'
        THEN 'true' ELSE 'false' END AS is_deleted,
    utc(update_time) AS updated_at
FROM activities
