import type pg from 'pg';
import type { JobContext } from '../jobs/job.ts';
import type { CronJob, CronRole } from '../provision/cron-jobs.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { type DumpSource, reading } from './dump-source.ts';
import type { ScheduledJobs } from './scheduled-jobs.ts';

/**
 * Reads what pg_cron does in a database that was not made here, as far as its login sees that: jobs as roles that the tenant has in an archive. What cannot be seen is said
 * to be absent.
 *
 * @param login that requests use
 */
export async function readForeignJobs(
  context: JobContext,
  source: DumpSource,
  login: string,
): Promise<ScheduledJobs> {
  return reading(context, source, async (client) => {
    const { rows } = await client.query<Sight>(SIGHT);
    const { version, preloaded, place, sees_all: seesAll } = rows[0]!;
    const absent: string[] = [];
    if (version === null) {
      // Whether it is there at all is known by its setting.
      if (preloaded) absent.push(`scheduled jobs: pg_cron keeps them in the database ${place}`);
      return { pg_cron: null, jobs: [], absent };
    }
    if (!seesAll) {
      absent.push('scheduled jobs: no login that is known here may see what pg_cron does in the database');
      return { pg_cron: version, jobs: [], absent };
    }
    const jobs = await jobsOf(client, source, login);
    const own = jobs.filter(isOwn);
    if (own.length < jobs.length) {
      absent.push(`scheduled jobs: ${jobs.length - own.length} run as roles that the tenant has not got`);
    }
    context.log(`pg_cron ${version}: ${own.length} jobs`);
    return { pg_cron: version, jobs: own, absent };
  });
}

interface Sight {
  readonly version: string | null;
  readonly preloaded: boolean;
  readonly place: string | null;
  readonly sees_all: boolean;
}

/** Whoever is subject to its policy sees his own jobs alone. */
const SIGHT = `
  SELECT e.extversion AS version, s.place IS NOT NULL AND s.place <> current_database() AS preloaded, s.place,
    t.oid IS NOT NULL AND has_schema_privilege('cron', 'USAGE') AND has_table_privilege(t.oid, 'SELECT') AND NOT row_security_active(t.oid) AS sees_all
  FROM (SELECT current_setting('cron.database_name', true) AS place) s
  LEFT JOIN pg_extension e ON e.extname = 'pg_cron' LEFT JOIN pg_class t ON t.oid = to_regclass('cron.job')`;

type FoundJob = Omit<CronJob, 'role'> & { readonly role: CronRole | undefined };

async function jobsOf(client: pg.Client, { names }: DumpSource, login: string): Promise<readonly FoundJob[]> {
  const { rows } = await client.query<Omit<CronJob, 'role'> & { username: string }>(
    `SELECT jobname::text AS name, schedule, command, active, username FROM cron.job WHERE database = current_database()
     ORDER BY jobname::text COLLATE "C" NULLS LAST, schedule COLLATE "C", command COLLATE "C", username COLLATE "C"`,
  );
  return rows.map(({ username, ...job }) => ({
    ...job,
    role: username === login ? 'login' : roleOf(names.get(username)),
  }));
}

const LOGICAL = tenantRoles({ schemaPrefix: undefined, rolePrefix: undefined });

function roleOf(name: string | undefined): CronRole | undefined {
  const roles = Object.keys(LOGICAL) as (keyof typeof LOGICAL)[];
  return roles.find((role) => name?.endsWith(`_${LOGICAL[role]}`));
}

function isOwn(job: FoundJob): job is CronJob {
  return job.role !== undefined;
}
