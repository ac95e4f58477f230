--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

-- Started on 2026-11-21 13:26:05 UTC

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- TOC entry 223 (class 1255 OID 16433)
-- Name: stop(); Type: FUNCTION; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE FUNCTION public.stop() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'a trigger was fired'; END $$;


ALTER FUNCTION public.stop() OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- TOC entry 215 (class 1259 OID 16386)
-- Name: customers; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.customers (
    id bigint NOT NULL,
    name text NOT NULL,
    note text
);


ALTER TABLE public.customers OWNER TO postgres;

--
-- TOC entry 214 (class 1259 OID 16385)
-- Dependencies: 215
-- Name: customers_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE public.customers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.customers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- TOC entry 221 (class 1259 OID 16420)
-- Name: empty; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.empty (
    a integer
);


ALTER TABLE public.empty OWNER TO postgres;

--
-- TOC entry 218 (class 1259 OID 16407)
-- Name: log; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.log (
    at date NOT NULL,
    line text
)
PARTITION BY RANGE (at);


ALTER TABLE public.log OWNER TO postgres;

--
-- TOC entry 219 (class 1259 OID 16410)
-- Dependencies: 218
-- Name: log_1; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.log_1 (
    at date NOT NULL,
    line text
);


ALTER TABLE public.log_1 OWNER TO postgres;

--
-- TOC entry 220 (class 1259 OID 16415)
-- Dependencies: 218
-- Name: log_2; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.log_2 (
    at date NOT NULL,
    line text
);


ALTER TABLE public.log_2 OWNER TO postgres;

--
-- TOC entry 217 (class 1259 OID 16394)
-- Name: orders; Type: TABLE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TABLE public.orders (
    id integer NOT NULL,
    customer bigint NOT NULL,
    amount numeric(10,2),
    at timestamp with time zone,
    doc jsonb
);


ALTER TABLE public.orders OWNER TO postgres;

--
-- TOC entry 216 (class 1259 OID 16393)
-- Dependencies: 217
-- Name: orders_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE SEQUENCE public.orders_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.orders_id_seq OWNER TO postgres;

--
-- TOC entry 3395 (class 0 OID 0)
-- Dependencies: 216
-- Name: orders_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER SEQUENCE public.orders_id_seq OWNED BY public.orders.id;


--
-- TOC entry 222 (class 1259 OID 16427)
-- Dependencies: 217 217
-- Name: totals; Type: MATERIALIZED VIEW; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE MATERIALIZED VIEW public.totals AS
 SELECT orders.customer,
    sum(orders.amount) AS sum
   FROM public.orders
  GROUP BY orders.customer
  WITH NO DATA;


ALTER TABLE public.totals OWNER TO postgres;

--
-- TOC entry 3223 (class 0 OID 0)
-- Dependencies: 219 218
-- Name: log_1; Type: TABLE ATTACH; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.log ATTACH PARTITION public.log_1 FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');


--
-- TOC entry 3224 (class 0 OID 0)
-- Dependencies: 220 218
-- Name: log_2; Type: TABLE ATTACH; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.log ATTACH PARTITION public.log_2 FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');


--
-- TOC entry 3225 (class 2604 OID 16397)
-- Dependencies: 217 216 217
-- Name: orders id; Type: DEFAULT; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.orders ALTER COLUMN id SET DEFAULT nextval('public.orders_id_seq'::regclass);


--
-- TOC entry 3227 (class 2606 OID 16392)
-- Dependencies: 215
-- Name: customers customers_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);


--
-- TOC entry 3230 (class 2606 OID 16401)
-- Dependencies: 217
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- TOC entry 3231 (class 1259 OID 16424)
-- Dependencies: 218
-- Name: log_at_idx; Type: INDEX; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE INDEX log_at_idx ON ONLY public.log USING btree (at);


--
-- TOC entry 3232 (class 1259 OID 16425)
-- Dependencies: 219 3231 219
-- Name: log_1_at_idx; Type: INDEX; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE INDEX log_1_at_idx ON public.log_1 USING btree (at);


--
-- TOC entry 3233 (class 1259 OID 16426)
-- Dependencies: 220 3231 220
-- Name: log_2_at_idx; Type: INDEX; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE INDEX log_2_at_idx ON public.log_2 USING btree (at);


--
-- TOC entry 3228 (class 1259 OID 16423)
-- Dependencies: 217 217
-- Name: orders_at_idx; Type: INDEX; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE INDEX orders_at_idx ON public.orders USING btree (at) WHERE ((id % 2) = 0);


--
-- TOC entry 3234 (class 0 OID 0)
-- Dependencies: 3232 3231 219 218
-- Name: log_1_at_idx; Type: INDEX ATTACH; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER INDEX public.log_at_idx ATTACH PARTITION public.log_1_at_idx;


--
-- TOC entry 3235 (class 0 OID 0)
-- Dependencies: 3233 3231 220 218
-- Name: log_2_at_idx; Type: INDEX ATTACH; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER INDEX public.log_at_idx ATTACH PARTITION public.log_2_at_idx;


--
-- TOC entry 3237 (class 2620 OID 16434)
-- Dependencies: 217 223
-- Name: orders stop; Type: TRIGGER; Schema: public; Owner: postgres
-- Data Pos: 0
--

CREATE TRIGGER stop BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.stop();


--
-- TOC entry 3236 (class 2606 OID 16402)
-- Dependencies: 215 217 3227
-- Name: orders orders_customer_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
-- Data Pos: 0
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES public.customers(id);


--
-- TOC entry 3388 (class 0 OID 16427)
-- Dependencies: 222 3390
-- Name: totals; Type: MATERIALIZED VIEW DATA; Schema: public; Owner: postgres
-- Data Pos: 0
--

REFRESH MATERIALIZED VIEW public.totals;


-- Completed on 2026-11-21 13:29:31 UTC

--
-- PostgreSQL database dump complete
--


