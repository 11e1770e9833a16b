-- The users, who have their name from their partner. Their team is the one they are a member of, and its
-- leader is their manager. Hiring, quota and contract come from users_hr.csv, found by user id or, where
-- it has none, by e-mail.
-- requires: res_users(id, partner_id, login)
-- else users_hr: SELECT user_id AS UserId, hire_date AS HireDate, quota_start_date AS QuotaStartDate, termination_date AS TerminationDate, fte AS Fte, hours_per_week AS HoursPerWeek, role AS Role, team AS Team, segment AS Segment FROM crm.users
SELECT
    u.id AS user_id,
    coalesce(p.name, u.login) AS name,
    coalesce(p.email, lower(trim(u.login))) AS email,
    coalesce(h.role, e.role, sales_role(p.title)) AS role,
    CASE WHEN t.leader_id <> u.id THEN t.leader_id END AS manager_id,
    coalesce(h.team, e.team, t.name) AS team,
    coalesce(h.segment, e.segment) AS segment,
    coalesce(h.hire_date, e.hire_date) AS hire_date,
    coalesce(h.quota_start_date, e.quota_start_date) AS quota_start_date,
    coalesce(h.termination_date, e.termination_date) AS termination_date,
    flag(coalesce(u.active, 'true')) AS is_active,
    coalesce(h.fte, e.fte) AS fte,
    coalesce(h.hours_per_week, e.hours_per_week) AS hours_per_week,
    utc(u.write_date) AS updated_at
FROM res_users u
LEFT JOIN (
    SELECT id, max(name) AS name, max(lower(trim(email))) AS email, max(function) AS title
    FROM res_partner GROUP BY id
) p ON p.id = u.partner_id
LEFT JOIN (
    SELECT user_id, min(crm_team_id) AS team_id FROM crm_team_member
    WHERE flag(coalesce(active, 'true')) = 'true' GROUP BY user_id
) m ON m.user_id = u.id
LEFT JOIN (
    SELECT id, max(json_text(name, 'en_US')) AS name, max(user_id) AS leader_id FROM crm_team GROUP BY id
) t ON t.id = coalesce(m.team_id, u.sale_team_id)
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
) e ON e.email = coalesce(p.email, lower(trim(u.login)))
