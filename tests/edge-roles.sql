-- SPDX-License-Identifier: PostgreSQL
--
-- What edge-cases.sql needs of the cluster; may be run again.
SET client_min_messages = warning;
SET allow_in_place_tablespaces = on;
DO $$ BEGIN
    IF to_regrole('edge_owner') IS NULL THEN
        CREATE ROLE edge_owner;
        CREATE ROLE edge_guest LOGIN;
        CREATE ROLE "edge ""odd; role";
    END IF;
END $$;
SELECT NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'edge_space') AS missing
\gset
\if :missing
CREATE TABLESPACE edge_space LOCATION '';
GRANT CREATE ON TABLESPACE edge_space TO edge_owner;
\endif
