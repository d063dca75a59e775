/**
 * Make the stack that each program defines and have the AWS CDK write its template.
 *
 * Arguments: a file of jobs (`[{ id, file, arguments }]`), the folder of the compiled programs, and the folder for
 * `<id>.json`.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";

interface Job {
  id: string;
  file: string;
  arguments: object;
}

const [jobs, programs, results] = process.argv.slice(2);
for (const job of JSON.parse(fs.readFileSync(jobs, "utf8")) as Job[]) {
  const exported = Object.values(require(path.resolve(programs, job.file)));
  const [stack] = exported as (new (
    app: App,
    id: string,
    props: object,
  ) => Stack)[];
  // Merging statements is what new projects have switched on; a document must come through all the same.
  const app = new App({
    context: { "@aws-cdk/aws-iam:minimizePolicies": true },
  });
  const template = Template.fromStack(new stack(app, "Stack", job.arguments));
  fs.writeFileSync(
    path.join(results, `${job.id}.json`),
    JSON.stringify(template.toJSON()),
  );
}
