\set n random(1, 1000)
SELECT count(*), max(employees) FROM crm.accounts WHERE employees > :n;
