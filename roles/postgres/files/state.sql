-- What the server would make of its files, and how far what it has loaded is behind them.
SELECT
  ARRAY(
    SELECT 'pg_hba.conf line ' || line_number || ': ' || error
    FROM pg_hba_file_rules WHERE error IS NOT NULL
  ) AS refused_rules,
  -- A setting that only waits for a restart is listed with an error too; those values the validation has seen.
  ARRAY(
    SELECT concat_ws(': ', sourcefile || ' line ' || sourceline, name, error)
    FROM pg_file_settings f
    WHERE error IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = f.name AND s.context = 'postmaster')
  ) AS refused_settings,
  greatest(
    (pg_stat_file(current_setting('hba_file'))).change,
    (pg_stat_file(%(settings_file)s)).change
  ) > pg_conf_load_time() AS stale,
  ARRAY(SELECT name FROM pg_settings WHERE pending_restart ORDER BY name) AS pending,
  NOT EXISTS (
    SELECT FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'
  ) AS empty
