-- Which companies and people may be the same one, twice?
-- Two accounts are candidates if they share a web domain, or a name but for its legal form and
-- punctuation; two people if they share an e-mail address, or their names at one account. A lead that
-- was converted is not a candidate for the contact it became. Nothing is merged here: a person decides.
--
-- grain: two records of one kind, the one with the lower id first
-- unit: kind account, person
-- unit: rule domain, name or email, the strongest that holds
WITH accounts AS (
    SELECT
        account_id,
        name,
        owner_id,
        -- Half the world is at a free mail host: that says nothing.
        CASE WHEN NOT is_free_email('x@' || lower(domain)) THEN nullif(lower(domain), '') END AS domain,
        nullif(match_key(name), '') AS name_key
    FROM crm.accounts
    WHERE NOT is_deleted
),
people AS (
    SELECT
        'contact:' || contact_id AS record_id,
        contact_id AS person_id,
        coalesce(first_name || ' ', '') || coalesce(last_name, '') AS name,
        owner_id,
        nullif(lower(email), '') AS email,
        account_id || ':' || nullif(match_key(first_name || ' ' || last_name), '') AS name_key,
        CAST(NULL AS varchar) AS became
    FROM crm.contacts
    WHERE NOT is_deleted
    UNION ALL
    SELECT
        'lead:' || lead_id,
        lead_id,
        coalesce(email, company),
        owner_id,
        nullif(lower(email), ''),
        CAST(NULL AS varchar),
        'contact:' || converted_contact_id
    FROM crm.leads
    WHERE NOT is_deleted
),
pairs AS (
    SELECT
        'account' AS kind,
        'domain' AS rule,
        1 AS strength,
        a.account_id AS first_id,
        b.account_id AS second_id,
        a.name AS first_name,
        b.name AS second_name,
        a.owner_id AS first_owner_id,
        b.owner_id AS second_owner_id
    FROM accounts a
    JOIN accounts b ON b.domain = a.domain AND b.account_id > a.account_id
    UNION ALL
    SELECT
        'account', 'name', 2, a.account_id, b.account_id, a.name, b.name, a.owner_id, b.owner_id
    FROM accounts a
    JOIN accounts b ON b.name_key = a.name_key AND b.account_id > a.account_id
    UNION ALL
    SELECT
        'person', 'email', 1, a.record_id, b.record_id, a.name, b.name, a.owner_id, b.owner_id
    FROM people a
    JOIN people b ON b.email = a.email AND b.record_id > a.record_id
    WHERE b.became IS DISTINCT FROM a.record_id
    UNION ALL
    SELECT
        'person', 'name', 2, a.record_id, b.record_id, a.name, b.name, a.owner_id, b.owner_id
    FROM people a
    JOIN people b ON b.name_key = a.name_key AND b.record_id > a.record_id
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY kind, first_id, second_id ORDER BY strength) AS place
    FROM pairs
)
SELECT
    kind,
    rule,
    first_id,
    second_id,
    first_name,
    second_name,
    first_owner_id,
    second_owner_id
FROM ranked
WHERE place = 1
