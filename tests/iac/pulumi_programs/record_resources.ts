/**
 * Run each program with Pulumi's mocks and write down the resources that it asks for.
 *
 * Arguments: a file of jobs (`[{ id, file, config }]`), the folder of the compiled programs, and the folder for
 * `<id>.json`.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";

interface Job {
  id: string;
  file: string;
  config: Record<string, string>;
}

const project = "checks";

async function record(job: Job, programs: string): Promise<object[]> {
  const resources: object[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        resources.push({ type, name, inputs });
        return {
          id: `${name}-id`,
          state: { ...inputs, arn: `arn:of:${type}` },
        };
      },
      call: ({ token }) => {
        if (token !== "aws:ssoadmin/getInstances:getInstances") {
          throw new Error(`called ${token}`);
        }
        return { arns: ["arn:aws:sso:::instance/found"] };
      },
    },
    project,
    "checks",
    false,
  );
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(job.config).map(([key, value]) => [
        `${project}:${key}`,
        value,
      ]),
    ),
  );
  require(path.resolve(programs, job.file));
  // It waits for everything that the program has asked for.
  await pulumi.runtime.disconnect();
  return resources;
}

async function main(): Promise<void> {
  const [jobs, programs, results] = process.argv.slice(2);
  for (const job of JSON.parse(fs.readFileSync(jobs, "utf8")) as Job[]) {
    fs.writeFileSync(
      path.join(results, `${job.id}.json`),
      JSON.stringify(await record(job, programs)),
    );
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
