-- The users. Hiring, quota and contract are not Salesforce's: they come from users_hr.csv, found by
-- user id or, where it has none, by e-mail. What somebody does shows in the name of their role, or
-- in their title.
-- requires: User(Id, Name)
-- labels: User(Id = User ID, Name = Full Name, IsActive = Active, UserRoleId = Role ID)
-- else users_hr: SELECT user_id AS UserId, hire_date AS HireDate, quota_start_date AS QuotaStartDate, termination_date AS TerminationDate, fte AS Fte, hours_per_week AS HoursPerWeek, role AS Role, team AS Team, segment AS Segment FROM crm.users
SELECT
    salesforce_id(u.Id) AS user_id,
    u.Name AS name,
    lower(trim(u.Email)) AS email,
    coalesce(h.role, e.role, sales_role(r.name), sales_role(u.Title)) AS role,
    salesforce_id(u.ManagerId) AS manager_id,
    coalesce(h.team, e.team, u.Department, r.name) AS team,
    coalesce(h.segment, e.segment) AS segment,
    coalesce(h.hire_date, e.hire_date) AS hire_date,
    coalesce(h.quota_start_date, e.quota_start_date) AS quota_start_date,
    coalesce(h.termination_date, e.termination_date) AS termination_date,
    coalesce(u.IsActive, 'true') AS is_active,
    coalesce(h.fte, e.fte) AS fte,
    coalesce(h.hours_per_week, e.hours_per_week) AS hours_per_week,
    coalesce(u.SystemModstamp, u.LastModifiedDate) AS updated_at
FROM "User" u
LEFT JOIN (
    SELECT salesforce_id(Id) AS role_id, max(Name) AS name FROM UserRole GROUP BY salesforce_id(Id)
) r ON r.role_id = salesforce_id(u.UserRoleId)
LEFT JOIN (
    SELECT
        salesforce_id(UserId) AS user_id, max(lower(Role)) AS role, max(Team) AS team,
        max(Segment) AS segment, max(HireDate) AS hire_date,
        max(QuotaStartDate) AS quota_start_date, max(TerminationDate) AS termination_date,
        max(Fte) AS fte, max(HoursPerWeek) AS hours_per_week
    FROM users_hr WHERE UserId IS NOT NULL GROUP BY salesforce_id(UserId)
) h ON h.user_id = salesforce_id(u.Id)
LEFT JOIN (
    SELECT
        lower(trim(Email)) AS email, max(lower(Role)) AS role, max(Team) AS team,
        max(Segment) AS segment, max(HireDate) AS hire_date,
        max(QuotaStartDate) AS quota_start_date, max(TerminationDate) AS termination_date,
        max(Fte) AS fte, max(HoursPerWeek) AS hours_per_week
    FROM users_hr WHERE UserId IS NULL AND Email IS NOT NULL GROUP BY lower(trim(Email))
) e ON e.email = lower(trim(u.Email))
