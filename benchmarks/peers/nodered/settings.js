// Runs the flow in this folder, without the editor. The port comes from the environment.
const path = require("path");

module.exports = {
    uiHost: "127.0.0.1",
    uiPort: Number(process.env.PORT),
    httpAdminRoot: false,
    flowFile: path.join(__dirname, "flows.json"),
    credentialSecret: false,
    functionExternalModules: true,
    logging: { console: { level: "warn" } },
};
