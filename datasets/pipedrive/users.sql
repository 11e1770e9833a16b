-- The users. Hiring, quota, role and team are not Pipedrive's: they come from users_hr.csv, found by user
-- id or, where it has none, by e-mail.
-- requires: users(id, name)
-- else users_hr: SELECT user_id AS UserId, hire_date AS HireDate, quota_start_date AS QuotaStartDate, termination_date AS TerminationDate, fte AS Fte, hours_per_week AS HoursPerWeek, role AS Role, team AS Team, segment AS Segment FROM crm.users
SELECT
    u.id AS user_id,
    u.name AS name,
    lower(trim(u.email)) AS email,
    coalesce(h.role, e.role, sales_role(u.job_title)) AS role,
    u.manager_id AS manager_id,
    coalesce(h.team, e.team) AS team,
    coalesce(h.segment, e.segment) AS segment,
    coalesce(h.hire_date, e.hire_date) AS hire_date,
    coalesce(h.quota_start_date, e.quota_start_date) AS quota_start_date,
    coalesce(h.termination_date, e.termination_date) AS termination_date,
    flag(coalesce(u.active_flag, u.is_active, 'true')) AS is_active,
    coalesce(h.fte, e.fte) AS fte,
    coalesce(h.hours_per_week, e.hours_per_week) AS hours_per_week,
    utc(coalesce(u.update_time, u.modified)) AS updated_at
FROM users u
LEFT JOIN (
    SELECT
        UserId AS user_id, max(lower(Role)) AS role, max(Team) AS team, max(Segment) AS segment,
        max(HireDate) AS hire_date, max(QuotaStartDate) AS quota_start_date,
        max(TerminationDate) AS termination_date, max(Fte) AS fte, max(HoursPerWeek) AS hours_per_week
    FROM users_hr WHERE UserId IS NOT NULL GROUP BY UserId
) h ON h.user_id = u.id
LEFT JOIN (
    SELECT
        lower(trim(Email)) AS email, max(lower(Role)) AS role, max(Team) AS team, max(Segment) AS segment,
        max(HireDate) AS hire_date, max(QuotaStartDate) AS quota_start_date,
        max(TerminationDate) AS termination_date, max(Fte) AS fte, max(HoursPerWeek) AS hours_per_week
    FROM users_hr WHERE UserId IS NULL AND Email IS NOT NULL GROUP BY lower(trim(Email))
) e ON e.email = lower(trim(u.email))
