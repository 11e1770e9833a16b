-- The users, and what HR knows of them: users_hr names one by id or, without, by e-mail, and keeps
-- whatever it does not say. Somebody with a name who is no user yet is planned to be one.
-- requires: users(user_id, name)
-- requires: users_hr(HireDate)
-- else users: SELECT * FROM crm.users
SELECT
    u.user_id AS user_id,
    u.name AS name,
    u.email AS email,
    u.role AS role,
    u.manager_id AS manager_id,
    u.team AS team,
    u.segment AS segment,
    u.hire_date AS hire_date,
    u.quota_start_date AS quota_start_date,
    u.termination_date AS termination_date,
    coalesce(flag(u.is_active), 'true') AS is_active,
    u.fte AS fte,
    u.hours_per_week AS hours_per_week,
    u.source_system AS source_system,
    u.source_id AS source_id,
    u.is_deleted AS is_deleted,
    u.updated_at AS updated_at
FROM users u
UNION ALL
SELECT
    coalesce(i.user_id, e.user_id, h.UserId, lower(trim(h.Email))) AS user_id,
    coalesce(h.Name, i.name, e.name) AS name,
    coalesce(lower(trim(h.Email)), i.email) AS email,
    coalesce(lower(h.Role), i.role, e.role) AS role,
    coalesce(h.ManagerId, i.manager_id, e.manager_id) AS manager_id,
    coalesce(h.Team, i.team, e.team) AS team,
    coalesce(h.Segment, i.segment, e.segment) AS segment,
    coalesce(h.HireDate, i.hire_date, e.hire_date) AS hire_date,
    coalesce(h.QuotaStartDate, i.quota_start_date, e.quota_start_date) AS quota_start_date,
    coalesce(h.TerminationDate, i.termination_date, e.termination_date) AS termination_date,
    coalesce(i.is_active, e.is_active, CASE WHEN h.TerminationDate IS NULL THEN 'true' ELSE 'false' END) AS is_active,
    coalesce(h.Fte, i.fte, e.fte) AS fte,
    coalesce(h.HoursPerWeek, i.hours_per_week, e.hours_per_week) AS hours_per_week,
    coalesce(i.source_system, e.source_system) AS source_system,
    coalesce(i.source_id, e.source_id) AS source_id,
    coalesce(i.is_deleted, e.is_deleted) AS is_deleted,
    coalesce(i.updated_at, e.updated_at) AS updated_at
FROM users_hr h
LEFT JOIN (
    SELECT user_id, max(email) AS email, max(name) AS name, max(role) AS role, max(manager_id) AS manager_id, max(team) AS team, max(segment) AS segment, max(hire_date) AS hire_date, max(quota_start_date) AS quota_start_date, max(termination_date) AS termination_date, max(is_active) AS is_active, max(fte) AS fte, max(hours_per_week) AS hours_per_week, max(source_system) AS source_system, max(source_id) AS source_id, max(is_deleted) AS is_deleted, max(updated_at) AS updated_at
    FROM users GROUP BY user_id
) i ON i.user_id = h.UserId
LEFT JOIN (
    SELECT lower(trim(email)) AS email, max(user_id) AS user_id, max(name) AS name, max(role) AS role, max(manager_id) AS manager_id, max(team) AS team, max(segment) AS segment, max(hire_date) AS hire_date, max(quota_start_date) AS quota_start_date, max(termination_date) AS termination_date, max(is_active) AS is_active, max(fte) AS fte, max(hours_per_week) AS hours_per_week, max(source_system) AS source_system, max(source_id) AS source_id, max(is_deleted) AS is_deleted, max(updated_at) AS updated_at
    FROM users WHERE email IS NOT NULL GROUP BY lower(trim(email))
) e ON h.UserId IS NULL AND e.email = lower(trim(h.Email))
