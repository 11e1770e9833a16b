"""Apache Superset: connects, adds a dataset, answers a chart, and shows it in a real browser."""
import base64
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request
from http.cookiejar import CookieJar

company = os.environ
url, place, work, chromium = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
headers = {"Content-Type": "application/json", "Referer": place}


def call(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(place + path, data=data, method=method, headers=headers)
    try:
        with opener.open(request, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"superset: {method} {path}: {error.code} {error.read()[:1500].decode()}")


token = call("POST", "/api/v1/security/login",
             {"username": "admin", "password": "admin", "provider": "db", "refresh": True})["access_token"]
headers["Authorization"] = f"Bearer {token}"
headers["X-CSRFToken"] = call("GET", "/api/v1/security/csrf_token/")["result"]
uri = url.replace("postgresql:", "postgresql+psycopg2:")
known = {row["database_name"]: row["id"] for row in call("GET", "/api/v1/database/")["result"]}
if "Runrate" in known:
    database = known["Runrate"]
    call("PUT", f"/api/v1/database/{database}", {"sqlalchemy_uri": uri})
else:
    call("POST", "/api/v1/database/test_connection/", {"sqlalchemy_uri": uri, "database_name": "Runrate"})
    database = call("POST", "/api/v1/database/", {"database_name": "Runrate", "sqlalchemy_uri": uri, "expose_in_sqllab": True})["id"]
schemas = call("GET", f"/api/v1/database/{database}/schemas/?q=(force:!t)")["result"]
assert {"crm", "collect"} <= set(schemas), schemas
tables = call("GET", f"/api/v1/database/{database}/tables/?q=(force:!t,schema_name:crm)")["result"]
assert len(tables) >= int(company["CRM_TABLES"]), len(tables)
datasets = {row["table_name"]: row["id"] for row in call("GET", "/api/v1/dataset/")["result"]}
dataset = datasets.get("opportunities") or call("POST", "/api/v1/dataset/", {"database": database, "schema": "crm", "table_name": "opportunities"})["id"]
columns = {c["column_name"]: c["type"] for c in call("GET", f"/api/v1/dataset/{dataset}")["result"]["columns"]}
assert len(columns) == int(company["OPPORTUNITIES_COLUMNS"]), columns
assert columns["amount"].startswith("NUMERIC") and columns["close_date"] == "DATE", columns

money = {"expressionType": "SIMPLE", "column": {"column_name": "amount"}, "aggregate": "SUM", "label": "money"}
query = {"columns": ["forecast_category"], "metrics": [money, "count"], "orderby": [[money, False]], "row_limit": 1000,
         "filters": [], "time_range": "No filter"}
chart = call("POST", "/api/v1/chart/data", {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "result_format": "json", "result_type": "full"})
rows = chart["result"][0]["data"]
assert sum(row["count"] for row in rows) == int(company["OPPORTUNITIES"]), rows
assert abs(sum(float(row["money"] or 0) for row in rows) - float(company["OPPORTUNITIES_AMOUNT"])) < 0.01, rows
sql = call("POST", "/api/v1/sqllab/execute/", {"database_id": database, "sql": "SELECT stage_label, deal_count FROM collect.pipeline_snapshot ORDER BY stage_ordinal", "schema": "collect", "runAsync": False, "queryLimit": 100})
assert len(sql["data"]) == 5, sql["data"]

form = {"datasource": f"{dataset}__table", "viz_type": "pie", "groupby": ["forecast_category"], "metric": money, "row_limit": 100,
        "show_legend": True, "color_scheme": "supersetColors"}
charts = {row["slice_name"]: row["id"] for row in call("GET", "/api/v1/chart/")["result"]}
slice_id = charts.get("Money by forecast") or call("POST", "/api/v1/chart/", {"slice_name": "Money by forecast", "viz_type": "pie", "datasource_id": dataset, "datasource_type": "table", "params": json.dumps(form)})["id"]

# A person's way: the form, the password, the chart.
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

options = webdriver.ChromeOptions()
options.binary_location = chromium
for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,900"):
    options.add_argument(argument)
browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(sys.argv[5]))
try:
    browser.get(f"{place}/login/")
    WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.CSS_SELECTOR, "input[type=password]"))
    browser.find_element(By.CSS_SELECTOR, "input[name=username], input#username").send_keys("admin")
    browser.find_element(By.CSS_SELECTOR, "input[type=password]").send_keys("admin\n")
    WebDriverWait(browser, 60).until(lambda b: "/login" not in b.current_url)
    browser.get(f"{place}/explore/?slice_id={slice_id}")
    WebDriverWait(browser, 120).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".slice_container canvas, .chart-container canvas"))
    time.sleep(2)
    shot = work / "superset.png"
    browser.save_screenshot(str(shot))
finally:
    browser.quit()
assert shot.stat().st_size > 20_000, shot.stat().st_size
print(f"  Apache Superset: connection, {len(tables)} tables, dataset of {len(columns)} columns, chart of {len(rows)} groups, SQL Lab; seen in a browser: {shot}")
