// Makes this mongod a replica set, then `root`, then one user per service in that service's database alone. Runs in each
// member under mongosh; only the first member acts. Each step looks before it acts, so it may run again at any time.
//
// POD, HOSTS (host:port,…), ROOT_PASSWORD, DATABASES ({service: database}), PASSWORD_<SERVICE>, and for tests LOCAL.

const { POD, ROOT_PASSWORD } = process.env;
const hosts = process.env.HOSTS.split(",");
const databases = JSON.parse(process.env.DATABASES);
const local = process.env.LOCAL || "127.0.0.1:27017";

// Codes of the server's error_codes.yml.
const ALREADY_INITIALIZED = 23;
const UNAUTHORIZED = 13;
const USER_EXISTS = 51003;

// Without a user: the localhost exception lets the first one in.
const anyone = new Mongo(`mongodb://${local}/?directConnection=true`).getDB("admin");

function initiate() {
  if (anyone.hello().setName) return;
  try {
    anyone.adminCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: hosts[0] }] } });
    print(`initiated rs0 at ${hosts[0]}`);
  } catch (error) {
    if (error.code !== ALREADY_INITIALIZED) throw error;
  }
}

// Until somebody is elected, and is ready for writes if it is this member: a winner that is not ready yet calls itself
// secondary, and itself the primary.
function waitForPrimary() {
  for (;;) {
    const state = anyone.hello();
    if (state.isWritablePrimary || (state.secondary && state.primary && state.primary !== state.me)) return;
    sleep(200);
  }
}

function ensureRoot() {
  if (!anyone.hello().isWritablePrimary) return;
  try {
    anyone.runCommand({ createUser: "root", pwd: ROOT_PASSWORD, roles: ["root"] });
    print("made root");
  } catch (error) {
    // The exception ended with the first user: root is there.
    if (error.code !== UNAUTHORIZED && error.code !== USER_EXISTS) throw error;
  }
}

function ensureUsers(root) {
  for (const [service, database] of Object.entries(databases)) {
    const password = process.env[`PASSWORD_${service.toUpperCase().replaceAll("-", "_")}`];
    const user = { pwd: password, roles: [{ role: "readWrite", db: database }] };
    const db = root.getSiblingDB(database);
    try {
      db.runCommand({ createUser: service, ...user });
      print(`made ${service} in ${database}`);
    } catch (error) {
      if (error.code !== USER_EXISTS) throw error;
      db.runCommand({ updateUser: service, ...user });
    }
  }
}

// One member at a time: MongoDB takes no other change of a set.
function ensureMembers(root) {
  for (const host of hosts) {
    const { config } = root.adminCommand({ replSetGetConfig: 1 });
    if (config.members.some((member) => member.host === host)) continue;
    config.members.push({ _id: Math.max(...config.members.map((member) => member._id)) + 1, host });
    config.version += 1;
    root.adminCommand({ replSetReconfig: config });
    print(`added ${host}`);
  }
}

if (POD.endsWith("-0")) {
  initiate();
  waitForPrimary();
  ensureRoot();
  const credentials = `root:${encodeURIComponent(ROOT_PASSWORD)}`;
  const members = anyone.hello().hosts.join(",");
  const root = new Mongo(`mongodb://${credentials}@${members}/?authSource=admin&replicaSet=rs0`).getDB("admin");
  ensureUsers(root);
  ensureMembers(root);
  print(`rs0 has ${hosts.length} members and ${Object.keys(databases).length} users`);
}
