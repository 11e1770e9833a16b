// pgjdbc: what DataGrip, DBeaver, Metabase, Tableau and every Java program ask of a database.

import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

public class Jdbc {
    static final Map<String, String> COMPANY = System.getenv();

    static void equal(String what, Object expected, Object got) {
        if (!Objects.equals(String.valueOf(expected), String.valueOf(got))) {
            throw new AssertionError(what + ": expected " + expected + ", got " + got);
        }
    }

    static void check(String what, boolean holds) {
        if (!holds) throw new AssertionError(what);
    }

    /** Values of one column of all rows. */
    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) values.add(rows.getString(name));
        rows.close();
        return values;
    }

    static void said(String text) {
        System.out.println("  " + text);
    }

    public static void main(String[] arguments) throws Exception {
        Properties login = new Properties();
        login.setProperty("user", arguments[1]);
        login.setProperty("password", arguments[2]);
        login.setProperty("ApplicationName", "clients test");
        try (Connection connection = DriverManager.getConnection(arguments[0], login)) {
            tables(connection.getMetaData());
            keys(connection.getMetaData());
            types(connection.getMetaData());
            rest(connection.getMetaData());
            prepared(connection);
            fetched(connection);
            timed(connection);
            savepoints(connection);
        }
    }

    static void tables(DatabaseMetaData meta) throws SQLException {
        equal("product", "PostgreSQL", meta.getDatabaseProductName());
        check("version", meta.getDatabaseMajorVersion() >= 14);
        List<String> schemas = column(meta.getSchemas(), "TABLE_SCHEM");
        check("schemas " + schemas, schemas.containsAll(List.of("crm", "collect", "ops", "pg_catalog")));
        equal("catalogs", List.of("runrate"), column(meta.getCatalogs(), "TABLE_CAT"));
        String[] table = {"TABLE"};
        String[] view = {"VIEW"};
        equal("tables", COMPANY.get("CRM_TABLES"), column(meta.getTables(null, "crm", "%", table), "TABLE_NAME").size());
        equal("views", COMPANY.get("COLLECT_VIEWS"), column(meta.getTables(null, "collect", "%", view), "TABLE_NAME").size());
        try (ResultSet one = meta.getTables(null, "crm", "opportunities", null)) {
            check("opportunities is listed", one.next());
            equal("type", "TABLE", one.getString("TABLE_TYPE"));
            equal("remarks", "one deal", one.getString("REMARKS"));
        }
        check("system tables", column(meta.getTables(null, "pg_catalog", "pg_class", null), "TABLE_NAME").size() == 1);
        check("table types", column(meta.getTableTypes(), "TABLE_TYPE").contains("VIEW"));
        int count = 0;
        try (ResultSet columns = meta.getColumns(null, "crm", "opportunities", "%")) {
            while (columns.next()) {
                count++;
                switch (columns.getString("COLUMN_NAME")) {
                    case "amount" -> {
                        equal("amount", Types.NUMERIC, columns.getInt("DATA_TYPE"));
                        equal("amount", 18, columns.getInt("COLUMN_SIZE"));
                        equal("amount", 2, columns.getInt("DECIMAL_DIGITS"));
                        check("amount's remarks", columns.getString("REMARKS").startsWith("value of the deal"));
                    }
                    case "close_date" -> equal("close_date", Types.DATE, columns.getInt("DATA_TYPE"));
                    case "created_at" -> equal("created_at", "timestamptz", columns.getString("TYPE_NAME"));
                    case "is_won" -> equal("is_won", "NO", columns.getString("IS_NULLABLE"));
                    default -> { }
                }
            }
        }
        equal("columns", COMPANY.get("OPPORTUNITIES_COLUMNS"), count);
        said("schemas, tables, views, columns with types, precision, nullability and remarks");
    }

    static void keys(DatabaseMetaData meta) throws SQLException {
        equal("primary key", List.of("opportunity_id"), column(meta.getPrimaryKeys(null, "crm", "opportunities"), "COLUMN_NAME"));
        List<String> composite = column(meta.getPrimaryKeys(null, "crm", "user_hierarchy"), "KEY_SEQ");
        equal("composite key", List.of("1", "2"), composite);
        List<String> imported = column(meta.getImportedKeys(null, "crm", "opportunities"), "PKTABLE_NAME");
        Collections.sort(imported);
        equal("imported keys", List.of("accounts", "campaigns", "territories", "users"), imported);
        List<String> exported = column(meta.getExportedKeys(null, "crm", "opportunities"), "FKTABLE_NAME");
        equal("exported keys", COMPANY.get("OPPORTUNITIES_REFERRERS"), exported.size());
        try (ResultSet cross = meta.getCrossReference(null, "crm", "users", null, "crm", "opportunities")) {
            check("opportunities point to users", cross.next());
            equal("by", "owner_id", cross.getString("FKCOLUMN_NAME"));
            equal("to", "user_id", cross.getString("PKCOLUMN_NAME"));
        }
        try (ResultSet index = meta.getIndexInfo(null, "crm", "opportunities", false, false)) {
            check("the key has an index", index.next());
            equal("index", "opportunities_pkey", index.getString("INDEX_NAME"));
            equal("index", false, index.getBoolean("NON_UNIQUE"));
            equal("index", "opportunity_id", index.getString("COLUMN_NAME"));
        }
        equal("row identifier", List.of("opportunity_id"), column(meta.getBestRowIdentifier(null, "crm", "opportunities", DatabaseMetaData.bestRowSession, false), "COLUMN_NAME"));
        said("primary, imported and exported keys, indexes");
    }

    static void types(DatabaseMetaData meta) throws SQLException {
        List<String> types = column(meta.getTypeInfo(), "TYPE_NAME");
        check("types " + types.size(), types.containsAll(List.of("int8", "numeric", "text", "timestamptz", "bool", "date", "float8")));
        column(meta.getUDTs(null, "crm", "%", null), "TYPE_NAME");
        said(types.size() + " types");
    }

    static void rest(DatabaseMetaData meta) throws SQLException {
        // One for rows, one for FROM.
        List<String> functions = column(meta.getFunctions(null, null, "lead_score"), "FUNCTION_NAME");
        equal("functions", List.of("lead_score", "lead_score"), functions);
        try (ResultSet parameters = meta.getFunctionColumns(null, null, "lead_score", "%")) {
            List<String> names = column(parameters, "COLUMN_NAME");
            check("parameters of lead_score: " + names, names.contains("fit"));
        }
        check("procedures", column(meta.getProcedures(null, "public", "%"), "PROCEDURE_NAME").isEmpty());
        check("privileges", column(meta.getTablePrivileges(null, "crm", "opportunities"), "PRIVILEGE").contains("SELECT"));
        column(meta.getColumnPrivileges(null, "crm", "opportunities", "amount"), "PRIVILEGE");
        check("numeric functions", meta.getMaxColumnNameLength() == 63);
        check("keywords", meta.getSQLKeywords().contains("ilike"));
        column(meta.getClientInfoProperties(), "NAME");
        said("functions with parameters, privileges, keywords, limits");
    }

    static void prepared(Connection connection) throws SQLException {
        String sql = "SELECT opportunity_id, amount, close_date, created_at, is_won, probability, push_count"
            + " FROM crm.opportunities WHERE opportunity_id = ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            // From the fifth time on the driver uses a named statement and binary results.
            for (int n = 0; n < 9; n++) {
                statement.setString(1, COMPANY.get("FIRST_OPPORTUNITY"));
                try (ResultSet rows = statement.executeQuery()) {
                    check("found", rows.next());
                    equal("amount", new BigDecimal(COMPANY.get("FIRST_OPPORTUNITY_AMOUNT")), rows.getBigDecimal(2));
                    equal("close date", "2023-05-07", rows.getDate(3));
                    equal("created", "2022-10-10T09:00:25Z", rows.getObject(4, java.time.OffsetDateTime.class).withOffsetSameInstant(java.time.ZoneOffset.UTC));
                    equal("won", false, rows.getBoolean(5));
                    equal("pushes", 1, rows.getLong(7));
                    check("one row", !rows.next());
                }
            }
            ResultSetMetaData meta = statement.getMetaData();
            equal("precision", 18, meta.getPrecision(2));
            equal("scale", 2, meta.getScale(2));
            equal("class", "java.math.BigDecimal", meta.getColumnClassName(2));
            equal("parameter", Types.VARCHAR, statement.getParameterMetaData().getParameterType(1));
        }
        String typed = "SELECT count(*), sum(amount) FROM crm.opportunities WHERE close_date >= ? AND is_won = ? AND amount > ?";
        try (PreparedStatement statement = connection.prepareStatement(typed)) {
            statement.setDate(1, java.sql.Date.valueOf(COMPANY.get("FIRST_CLOSE_DATE")));
            statement.setBoolean(2, true);
            statement.setBigDecimal(3, BigDecimal.ZERO);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                check("won deals " + rows.getLong(1), rows.getLong(1) > 0 && rows.getLong(1) <= Long.parseLong(COMPANY.get("OPPORTUNITIES_WON")));
            }
        }
        String any = "SELECT count(*) FROM crm.opportunities WHERE opportunity_id = ANY (?)";
        try (PreparedStatement statement = connection.prepareStatement(any)) {
            statement.setArray(1, connection.createArrayOf("text", new String[] {COMPANY.get("FIRST_OPPORTUNITY"), "none"}));
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                equal("an array as parameter", 1, rows.getLong(1));
            }
        }
        said("prepared statements past the threshold: binary results, dates, arrays");
    }

    static void fetched(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        BigDecimal sum = BigDecimal.ZERO;
        int count = 0;
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(100);
            try (ResultSet rows = statement.executeQuery("SELECT amount FROM crm.opportunities")) {
                while (rows.next()) {
                    count++;
                    if (rows.getBigDecimal(1) != null) sum = sum.add(rows.getBigDecimal(1));
                }
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
        equal("rows", COMPANY.get("OPPORTUNITIES"), count);
        equal("sum", COMPANY.get("OPPORTUNITIES_AMOUNT"), sum);
        said(count + " rows fetched by 100 in a transaction");
    }

    static void timed(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            long begun = System.nanoTime();
            try {
                statement.executeQuery("SELECT count(*) FROM generate_series(1, 100000) a(n) CROSS JOIN generate_series(1, 100000) b(m) WHERE n * m % 7 = 3");
                throw new AssertionError("the query did not time out");
            } catch (SQLException error) {
                equal("state", "57014", error.getSQLState());
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            check("stopped after " + seconds + " s", seconds < 4);
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT 1")) {
            check("the session goes on", rows.next());
        }
        said("setQueryTimeout stops a query");
    }

    static void savepoints(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            Savepoint point = connection.setSavepoint("before");
            try {
                statement.executeQuery("SELECT 1 / 0");
                throw new AssertionError("divided by zero");
            } catch (SQLException error) {
                equal("state", "22012", error.getSQLState());
            }
            connection.rollback(point);
            try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM crm.accounts")) {
                rows.next();
                equal("accounts", COMPANY.get("ACCOUNTS"), rows.getLong(1));
            }
        }
        connection.rollback();
        connection.setAutoCommit(true);
        said("a savepoint outlives a failure");
    }
}
