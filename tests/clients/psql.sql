-- What a person types first.
\conninfo
\l
\dn
\dt crm.*
\dv collect.*
\d crm.opportunities
\df lead_score
SELECT count(*) FROM crm.opportunities;
